/* field.h - an array of an explanation as a matrix of one target. */
#ifndef HEEDI_FIELD_H
#define HEEDI_FIELD_H

#include "view.h"

typedef struct heedi_field {
    const heed_array *a;
    int64_t offset, n_rows, n_columns;
} heedi_field;

/* The array of that name, (rows, columns) or (columns); with several targets,
 * those of v->target. HEED_EINVAL: there is none, or other than `columns` long
 * (0: any); HEED_ENUMERIC: a value is not finite. */
heed_status heedi_field_init(heedi_field *f, const heedi_view *v,
                             const char *name, int64_t columns);
/* The same with all targets as rows. */
heed_status heedi_field_targets(heedi_field *f, const heedi_view *v,
                                const char *name, int64_t columns);

double heedi_field_at(const heedi_field *f, int64_t row, int64_t column);
/* Over the tokens of a piece. */
double heedi_field_piece(const heedi_field *f, int64_t row,
                         const heedi_piece *p);
/* Over all rows of a column. */
double heedi_field_column(const heedi_field *f, int64_t column);

/* The range of colours from all values; if columns are tokens, from those of
 * the pieces that count. */
heed_status heedi_field_range(const heedi_field *f, heedi_view *v,
                              const heed_figure_options *o, bool by_token);

/* The numbers that the model gives to the n indices of a dimension, or NULL:
 * an array of the dimension's name, in the group or the root. */
const heed_array *heedi_coordinates(const heed_result *r, const char *group,
                                    const char *dim, int64_t n);

#endif
