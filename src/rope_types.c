#include "rope_types.h"

#include <math.h>

/* Formulas: docs/design.md names the papers; the constants are those of the
 * checkpoints' own configuration. f_i = theta^(-2i/rot) unless stated. */

static const double PI = 3.14159265358979323846;

static double plain(const heedi_rope *r, double theta, double *f)
{
    for (int64_t i = 0; i < r->rot / 2; i++)
        f[i] = pow(theta, -2.0 * (double)i / (double)r->rot);
    return 1;
}

static double default_(const heedi_rope *r, int64_t len, double *f)
{
    (void)len;
    return plain(r, r->theta, f);
}

static double linear(const heedi_rope *r, int64_t len, double *f)
{
    (void)len;
    plain(r, r->theta, f);
    for (int64_t i = 0; i < r->rot / 2; i++)
        f[i] /= r->s.factor;
    return 1;
}

/* Theta grows with the length beyond the trained context. */
static double dynamic(const heedi_rope *r, int64_t len, double *f)
{
    double m = (double)r->context, s = (double)len > m ? (double)len : m;
    double rot = (double)r->rot, k = r->s.factor;
    return plain(r, r->theta * pow(k * s / m - (k - 1), rot / (rot - 2)), f);
}

static double llama3(const heedi_rope *r, int64_t len, double *f)
{
    const heedi_rope_scaling *s = &r->s;
    (void)len;
    plain(r, r->theta, f);
    for (int64_t i = 0; i < r->rot / 2; i++) {
        double wave = 2 * PI / f[i];
        if (wave < s->original / s->high_freq)
            continue;
        if (wave > s->original / s->low_freq) {
            f[i] /= s->factor;
            continue;
        }
        double u =
            (s->original / wave - s->low_freq) / (s->high_freq - s->low_freq);
        f[i] = (1 - u) * f[i] / s->factor + u * f[i];
    }
    return 1;
}

static double or_else(double x, double other)
{
    return isnan(x) ? other : x;
}

static double gain(double mscale, double factor)
{
    return factor <= 1 ? 1 : 0.1 * mscale * log(factor) + 1;
}

/* The dimension whose wave turns n times within the original context. */
static double yarn_dim(const heedi_rope *r, double original, double n)
{
    return (double)r->rot * log(original / (n * 2 * PI)) / (2 * log(r->theta));
}

static double yarn(const heedi_rope *r, int64_t len, double *f)
{
    const heedi_rope_scaling *s = &r->s;
    (void)len;
    double original = or_else(s->original, (double)r->context);
    double factor = or_else(s->factor, (double)r->context / original);
    double lo = yarn_dim(r, original, or_else(s->beta_fast, 32));
    double hi = yarn_dim(r, original, or_else(s->beta_slow, 1));
    if (s->truncate) {
        lo = floor(lo);
        hi = ceil(hi);
    }
    lo = fmax(lo, 0);
    hi = fmin(hi, (double)r->rot - 1);
    if (lo == hi)
        hi += 0.001;
    plain(r, r->theta, f);
    for (int64_t i = 0; i < r->rot / 2; i++) {
        double ramp = fmin(fmax(((double)i - lo) / (hi - lo), 0), 1);
        f[i] = f[i] * (1 - ramp) + f[i] / factor * ramp;
    }
    if (!isnan(s->attention_factor))
        return s->attention_factor;
    if (!isnan(s->mscale) && !isnan(s->mscale_all_dim) && s->mscale != 0 &&
        s->mscale_all_dim != 0)
        return gain(s->mscale, factor) / gain(s->mscale_all_dim, factor);
    return gain(1, factor);
}

static double longrope(const heedi_rope *r, int64_t len, double *f)
{
    const heedi_rope_scaling *s = &r->s;
    double original = or_else(s->original, (double)r->context);
    const double *ext =
        (double)len > original ? s->long_factor : s->short_factor;
    double k = isnan(s->original) ? or_else(s->factor, 1)
                                  : (double)r->context / original;
    plain(r, r->theta, f);
    for (int64_t i = 0; i < r->rot / 2; i++)
        f[i] /= ext[i];
    if (!isnan(s->attention_factor))
        return s->attention_factor;
    return k <= 1 ? 1 : sqrt(1 + log(k) / log(original));
}

const heedi_rope_type heedi_rope_types[] = {
    {"default", "none", "", false, default_},
    {"linear", "", "factor", false, linear},
    {"dynamic", "ntk", "factor", true, dynamic},
    {"llama3", "",
     "factor low_freq_factor high_freq_factor "
     "original_max_position_embeddings",
     false, llama3},
    {"yarn", "", "", false, yarn},
    {"longrope", "su", "long_factor short_factor", true, longrope},
    {0},
};
