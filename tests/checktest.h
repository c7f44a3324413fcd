/* checktest.h - heed check on inputs made here. Needs testlib.h before it. */
#ifndef CHECKTEST_H
#define CHECKTEST_H

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "engine.h"
#include "patches.h"

/* Under rules of the caller's choice: a text. */
static inline heed_status check_ids(heed_ctx *ctx, const heed_model *m,
                                    const int32_t *id, int64_t n,
                                    const heed_check_options *o,
                                    const heedi_check_rules *rules,
                                    heed_check_report **out)
{
    const heedi_check_input in = {.len = &n, .n_seq = 1, .id = id};
    return heedi_check_run(ctx, m, &in, o, rules, out);
}

/* A picture of noise; free(p.x). */
static inline heed_pixels noise(const heed_model *m, uint32_t seed)
{
    const heed_model_info *i = heed_model_about(m);
    heed_pixels p = {.channels = i->image_channels,
                     .height = i->image_height,
                     .width = i->image_width};
    const int64_t n = p.channels * p.height * p.width;
    p.x = malloc((size_t)n * sizeof *p.x);
    for (int64_t k = 0; k < n; k++)
        p.x[k] = rnd(&seed);
    return p;
}

/* n tokens, of which the last third is of segment 1 where a model has one; or
 * a picture of noise. */
static inline heed_status check_any(heed_ctx *ctx, const heed_model *m,
                                    int64_t n, const heed_check_options *o,
                                    const heedi_check_rules *rules,
                                    heed_check_report **out)
{
    const bool vision = m->patch.rows > 0;
    const int64_t rows = vision ? heedi_patch_tokens(m) : n;
    int32_t *id = calloc((size_t)rows, sizeof *id);
    uint8_t *segment = calloc((size_t)rows, 1);
    heed_real *x = NULL;
    if (vision) {
        heed_pixels p = noise(m, 5);
        x = malloc((size_t)(rows * heedi_patch_size(m)) * sizeof *x);
        heedi_patches_fill(m, &p, x);
        free(p.x);
    } else {
        some_ids(id, n, 2, (int32_t)m->dim['V']);
    }
    for (int64_t i = n - n / 3; !vision && i < n; i++)
        segment[i] = m->info.n_segments > 1;
    const heedi_check_input in = {&rows, 1, id, segment, x};
    heed_status st = heedi_check_run(ctx, m, &in, o, rules, out);
    free(id);
    free(segment);
    free(x);
    return st;
}

static inline const heed_check_row *row_of(const heed_check_report *r,
                                           const char *name)
{
    const heed_check_row *row;
    for (int i = 0; (row = heed_check_at(r, i)); i++)
        if (strcmp(row->name, name) == 0)
            return row;
    fail_msg("no check %s", name);
    return NULL;
}

/* Which checks failed, as a list. */
static inline const char *failed(const heed_check_report *r)
{
    static char list[256];
    const heed_check_row *row;
    *list = '\0';
    for (int i = 0; (row = heed_check_at(r, i)); i++)
        if (row->passed == 0)
            snprintf(list + strlen(list), sizeof list - strlen(list), "%s ",
                     row->name);
    return list;
}

#endif
