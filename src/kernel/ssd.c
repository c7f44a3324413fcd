#include "kernel.h"
#include "lanes.h"

enum { Q = HEEDI_SSD_CHUNK };

/* Above the diagonal: no exponential of it is anything but 0. */
#define NEVER ((heed_real)-1e30)

/* Each exponent is a sum of its own, from the column on: no differences. */
static void decays(int64_t len, const heed_real *l, heed_real *m, heed_real *in)
{
    heed_real s[Q], p[Q];
    for (int64_t c = 0; c < Q; c++)
        s[c] = p[c] = NEVER;
    for (int64_t r = 0; r < len; r++) {
        p[r] = r > 0 ? p[r - 1] + l[r] : l[r];
        for (int64_t c = 0; c < r; c += L)
            store(s + c, L, load(s + c, L) + splat(l[r]));
        s[r] = 0;
        for (int64_t c = 0; c < Q; c += L)
            store(m + r * Q + c, L,
                  c <= r ? exp_scaled(load(s + c, L) * EXP_SCALE) : (vec){0});
    }
    for (int64_t c = 0; c < Q; c += L)
        store(in + c, L, exp_scaled(load(p + c, L) * EXP_SCALE));
}

static void weights(int64_t len, const heed_real *gram, const heed_real *decay,
                    const heed_real *dt, heed_real skip, heed_real *m)
{
    for (int64_t r = 0; r < len; r++) {
        const heed_real *g = gram + r * Q, *d = decay + r * Q;
        heed_real *to = m + r * Q;
        _Pragma("omp simd") for (int64_t c = 0; c <= r; c++) to[c] =
            g[c] * d[c] * dt[c];
        for (int64_t c = r + 1; c < len; c++)
            to[c] = 0;
        to[r] += skip;
    }
}

static void rows(int64_t len, int64_t n, const heed_real *x, int64_t ld,
                 const heed_real *w, heed_real *y)
{
    for (int64_t r = 0; r < len; r++) {
        const heed_real *from = x + r * ld, c = w[r];
        heed_real *to = y + r * n;
        _Pragma("omp simd") for (int64_t i = 0; i < n; i++) to[i] = c * from[i];
    }
}

/* What a pair (r, c) gives to its exponent it gives to l of every step from
 * c + 1 to r: sums over the rows from r on are kept for each column. */
static void pairs(int64_t len, const heed_real *gm, const heed_real *gram,
                  const heed_real *decay, const heed_real *dt, heed_real *gg,
                  heed_real *gdt, heed_real *gl)
{
    heed_real below[Q] = {0};
    for (int64_t r = len - 1; r >= 0; r--) {
        const heed_real *o = gm + r * Q, *g = gram + r * Q, *d = decay + r * Q;
        heed_real *to = gg + r * Q, sum = 0;
        _Pragma("omp simd reduction(+ : sum)") for (int64_t c = 0; c < r; c++)
        {
            const heed_real u = o[c] * d[c], v = u * g[c];
            to[c] += u * dt[c];
            gdt[c] += v;
            below[c] += v * dt[c];
            sum += below[c];
        }
        to[r] += o[r] * dt[r];
        gdt[r] += o[r] * g[r];
        gl[r] = sum;
    }
}

const heedi_ssd_table HEEDI_K(heedi_ssd_table) = {
    .decays = decays,
    .weights = weights,
    .rows = rows,
    .pairs = pairs,
};
