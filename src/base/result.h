/* result.h - arrays and attributes from inside: what every sink checks. */
#ifndef HEEDI_RESULT_H
#define HEEDI_RESULT_H

#include <heed/result.h>
#include <stdbool.h>

/* Number of values; those of a slab have the counts as `len`. */
int64_t heedi_numel(int nd, const int64_t *len);

/* HEED_EINVAL if the array cannot be one: no name, too many dimensions, a
 * length below 1, more bytes than there are addresses, a name twice. */
heed_status heedi_var_check(heed_ctx *ctx, const heed_var *v);

/* HEED_EINVAL if a and b are not the same array: type, dimensions, lengths. */
heed_status heedi_var_same(heed_ctx *ctx, const heed_var *a, const heed_var *b);

/* HEED_EINVAL if a slab is empty or leaves the array. */
heed_status heedi_slab_check(heed_ctx *ctx, const heed_var *v,
                             const int64_t *start, const int64_t *count);

heed_status heedi_attr_check(heed_ctx *ctx, const char *group, const char *key,
                             heed_attr value);

/* HEED_EINVAL: write() or attr() of what nobody defined. */
heed_status heedi_undefined(heed_ctx *ctx, const char *group, const char *name);

/* Calls f for each run of `n` contiguous values of a slab: `to` counts values
 * of the whole array, `from` those of the slab. */
typedef void heedi_run_fn(void *ud, int64_t to, int64_t from, int64_t n);
void heedi_slab_runs(const heed_var *v, const int64_t *start,
                     const int64_t *count, heedi_run_fn *f, void *ud);

/* The i-th of several values as a number; NaN for a string. */
double heedi_number(heed_type t, const void *data, int64_t i);

#endif
