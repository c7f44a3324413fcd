/* matrix.h - one attention matrix out of a result, with labels and a range. */
#ifndef HEEDI_MATRIX_H
#define HEEDI_MATRIX_H

#include <heed/figure.h>
#include <stdbool.h>

#include "arena.h"
#include "ctx.h"
#include "dropped.h"
#include "shades.h"

typedef struct heedi_matrix {
    heed_ctx *ctx;
    heedi_arena arena;
    const heed_array *a;
    int64_t offset;             /* of the first value in `a` */
    int64_t n_rows, n_columns;  /* queries, keys */
    const char **row, **column; /* labels */
    bool is_causal;             /* square, and exactly 0 above the diagonal */
    heedi_dropped dropped;
    heedi_shades shades;
    const char *title, *subtitle, *legend; /* words of the picture */
} heedi_matrix;

/* HEED_EINVAL: no such array, layer, head or colour map; HEED_ENUMERIC: a
 * value is not finite. Clear it in any case. */
heed_status heedi_matrix_init(heedi_matrix *m, heed_ctx *ctx,
                              const heed_result *r, const char *group,
                              const heed_figure_options *o);
void heedi_matrix_clear(heedi_matrix *m);

double heedi_matrix_at(const heedi_matrix *m, int64_t row, int64_t column);

/* Words for maps of a group: "Implicit attention", "abs_mean" or NULL,
 * "attention weight, signed". */
const char *heedi_map_name(const heed_result *r, const char *group);
const char *heedi_map_reduction(const heed_result *r, const char *group);
/* What a reduced map is over: "mean of channels", "mean of 4 of 336 channels",
 * "channel 3", "abs_mean of channel 3"; in the arena, NULL without memory.
 * index: "head" or "channel", unless the group tells. */
const char *heedi_map_reduced(heedi_arena *a, const heed_result *r,
                              const char *group, const char *index);
const char *heedi_map_legend(const heed_result *r, const char *group,
                             const heedi_shades *s);

#endif
