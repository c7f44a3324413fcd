#include "kernel.h"
#include "lanes.h"

/* A tile of rows, and of L columns, stays in registers while all entries go
 * through it. */
#define INLINE static inline __attribute__((always_inline))
enum { TALL = 4 };

INLINE vec larger(vec a, vec b)
{
    for (int i = 0; i < L; i++)
        a[i] = a[i] > b[i] ? a[i] : b[i];
    return a;
}

INLINE vec folded(heedi_fold_kind f, vec sum, vec a)
{
    return f == HEEDI_FOLD_SUM        ? sum + a
           : f == HEEDI_FOLD_POSITIVE ? sum + larger(a, (vec){0})
           : f == HEEDI_FOLD_ABSOLUTE ? sum + larger(a, -a)
           : f == HEEDI_FOLD_SQUARE   ? sum + a * a
                                      : larger(sum, a);
}

INLINE vec first(heedi_fold_kind f)
{
    return f == HEEDI_FOLD_MAX ? splat(-(heed_real)HUGE_VAL) : (vec){0};
}

/* `tall` rows from r on, columns c ... of which z is at. taps: 0 is any. */
INLINE void strip(const heedi_entries *e, int64_t r, int64_t c, const int tall,
                  const int known, const heedi_fold_kind f)
{
    const int64_t taps = known ? known : e->taps;
    const heed_real *z = e->z + c / L * e->ldz;
    const heed_real *x = e->x + r * e->ldx;
    vec sum[TALL];
#pragma GCC unroll 4
    for (int i = 0; i < tall; i++)
        sum[i] = first(f);
    for (int64_t d = 0; d < e->depth; d++, z += taps * L) {
        vec a[TALL];
        if (!e->g) {
#pragma GCC unroll 4
            for (int i = 0; i < tall; i++)
                a[i] = load(z, L);
        } else {
#pragma GCC unroll 4
            for (int i = 0; i < tall; i++)
                a[i] = load(z, L) * load(e->g + (r + i) * e->ldg + c, L);
#pragma GCC unroll 4
            for (int64_t k = 1; k < taps; k++)
#pragma GCC unroll 4
                for (int i = 0; i < tall; i++)
                    a[i] += load(z + k * L, L) *
                            load(e->g + (r + i) * e->ldg + c + k, L);
        }
#pragma GCC unroll 4
        for (int i = 0; i < tall; i++)
            sum[i] = folded(f, sum[i], a[i] * splat(x[i * e->ldx + d]));
    }
#pragma GCC unroll 4
    for (int i = 0; i < tall; i++) {
        heed_real *to = e->acc + (r + i) * e->ld + c;
        const vec was = load(to, L);
        store(to, L,
              f == HEEDI_FOLD_MAX ? larger(was, sum[i])
                                  : was + sum[i] * splat(e->times));
    }
}

INLINE void tile(const heedi_entries *e, const int known,
                 const heedi_fold_kind f)
{
    for (int64_t c = 0; c < e->cols; c += L) {
        int64_t r = 0;
        for (; r + TALL <= e->rows; r += TALL)
            strip(e, r, c, TALL, known, f);
        for (; r < e->rows; r++)
            strip(e, r, c, 1, known, f);
    }
}

/* Filters of 4 are those of all models known. */
INLINE void of_kind(const heedi_entries *e, const heedi_fold_kind f)
{
    if (e->taps == 1)
        tile(e, 1, f);
    else if (e->taps == 4)
        tile(e, 4, f);
    else
        tile(e, 0, f);
}

static void entries(const heedi_entries *e)
{
    switch (e->f) {
    case HEEDI_FOLD_SUM:
        of_kind(e, HEEDI_FOLD_SUM);
        break;
    case HEEDI_FOLD_POSITIVE:
        of_kind(e, HEEDI_FOLD_POSITIVE);
        break;
    case HEEDI_FOLD_ABSOLUTE:
        of_kind(e, HEEDI_FOLD_ABSOLUTE);
        break;
    case HEEDI_FOLD_SQUARE:
        of_kind(e, HEEDI_FOLD_SQUARE);
        break;
    default:
        of_kind(e, HEEDI_FOLD_MAX);
    }
}

const heedi_fold_table HEEDI_K(heedi_fold_table) = {
    .entries = entries,
};
