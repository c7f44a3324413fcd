#include <math.h>

#include "method.h"
#include "noise.h"
#include "points.h"

/* The mean gradient at embeddings with normal noise on them, whose deviation is
 * a share of the range of the input's own embeddings. */

#define OPTIONS(O)                                                       \
    O(samples, "integer", "20", 1, 65536, "noisy copies")                \
    O(sigma, "number", "0.1", 0, 1e6,                                    \
      "deviation of the noise, relative to max - min of the embeddings") \
    O(times_input, "off|on", "off", 0, 0,                                \
      "the gradient itself, or times the embedding")
enum { OPTIONS(HEEDI_OPTION_INDEX) };
static const heed_option options[] = {OPTIONS(HEEDI_OPTION_ROW){0}};

typedef struct cloud {
    int64_t samples;
    double *sigma; /* of each input */
} cloud;

static heed_status check(heedi_job *j)
{
    j->times_input = j->opt[opt_times_input] != 0;
    j->o.results += heedi_points_bytes(j);
    return HEED_OK;
}

static heed_status start(void *ud, heedi_rounds *r, const heed_real *x,
                         heed_real *point)
{
    cloud *k = ud;
    const int64_t c = r->e->leaf->cols;
    (void)point;
    for (int64_t s = 0; s < r->j->n; s++) {
        const heed_real *v = x + heedi_first_row(r->j, r->e, s) * c;
        double low = HUGE_VAL, high = -HUGE_VAL;
        for (int64_t i = 0; i < r->j->len[s] * c; i++) {
            low = fmin(low, (double)v[i]);
            high = fmax(high, (double)v[i]);
        }
        k->sigma[s] = r->j->opt[opt_sigma] * (high - low);
    }
    return HEED_OK;
}

static double at(void *ud, const heedi_rounds *r, int64_t sample,
                 const heed_real *x, heed_real *point)
{
    const cloud *k = ud;
    const int64_t c = r->e->leaf->cols;
    for (int64_t s = 0; s < r->j->n; s++)
        for (int64_t t = 0; t < r->j->len[s]; t++) {
            const int64_t i = (heedi_first_row(r->j, r->e, s) + t) * c;
            heedi_noise_add(r->j->q->seed, (uint64_t)sample, (uint64_t)t,
                            k->sigma[s], x + i, c, point + i);
        }
    return 1 / (double)k->samples;
}

static heed_status settle(void *ud, heedi_rounds *r, int64_t s, heed_real *x,
                          const heed_real *mean)
{
    (void)ud;
    return heedi_rounds_read(r, s, r->j->times_input ? x : NULL, mean);
}

static heed_status run(heedi_job *j)
{
    cloud k = {.samples = (int64_t)j->opt[opt_samples]};
    k.sigma = heedi_arena_alloc(&j->mem, (size_t)j->n * sizeof *k.sigma);
    if (!k.sigma)
        return HEED_ENOMEM;
    const heedi_points points = {k.samples, &k, start, at, settle};
    return heedi_run_points(j, &points);
}

const heedi_method heedi_method_smooth_grad = {
    .info = {.name = "smooth_grad",
             .aliases = "smoothgrad noise_tunnel",
             .summary = "gradient averaged over noisy embeddings",
             .cite = "Smilkov et al. 2017, arXiv:1706.03825",
             .reduce = "l2",
             .options = options,
             .has_target = 1},
    .pass = HEEDI_GRADIENT,
    .has_leaf = true,
    .gradient_only = true,
    .tokens_only = true,
    .check = check,
    .run = run,
};
