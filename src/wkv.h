/* wkv.h - the weighted mean of RWKV-4, for the files that it is made of. */
#ifndef HEEDI_WKV_H
#define HEEDI_WKV_H

#include "kernel.h"
#include "op.h"

/* Groups of HEEDI_LANES channels. */
int64_t heedi_wkv_groups(const heedi_node *y);
/* Rows row ... of the batch, of one group. v: values in place of the second
 * input, or NULL. */
heedi_wkv heedi_wkv_part(const heedi_node *y, int64_t row, int64_t len,
                         int64_t group, const heed_real *v);
/* Of a group: where it begins, from the state that was carried, or NULL. */
void heedi_wkv_begin(double *state, const void *before, int64_t group);

/* wkv_fold.c */
extern const struct heedi_separable heedi_wkv_separable;

#endif
