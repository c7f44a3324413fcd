#include "rope.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ctx.h"
#include "rope_types.h"
#include "words.h"

static const heedi_rope_type *type_named(const char *name)
{
    for (const heedi_rope_type *t = heedi_rope_types; t->name; t++)
        if (heedi_same_name(t->name, name) || heedi_has_word(t->aliases, name))
            return t;
    return NULL;
}

/* NaN where it is not given. */
static heed_status number(const heedi_checkpoint *c, const char *prefix,
                          const char *key, double *out)
{
    char full[160];
    snprintf(full, sizeof full, "%s%s", prefix, key);
    heedi_value v = heedi_config(c, full);
    bool given = v.kind == HEEDI_INT || v.kind == HEEDI_NUM;
    *out = given ? v.f : (double)NAN;
    if (given || v.kind == HEEDI_ABSENT || v.kind == HEEDI_NULL)
        return HEED_OK;
    return heedi_fail(c->ctx, HEED_EFORMAT, "%s: '%s' is not a number", c->path,
                      full);
}

static heed_status list(heedi_checkpoint *c, const char *prefix,
                        const char *key, int64_t want, const double **out)
{
    char full[160];
    snprintf(full, sizeof full, "%s%s", prefix, key);
    heedi_value v = heedi_config(c, full);
    *out = NULL;
    if (v.kind == HEEDI_ABSENT || v.kind == HEEDI_NULL)
        return HEED_OK;
    if (v.kind != HEEDI_LIST || v.n != want)
        return heedi_fail(c->ctx, HEED_EFORMAT,
                          "%s: %s must be a list of %lld numbers", c->path,
                          full, (long long)want);
    double *x = heedi_arena_alloc(&c->mem, (size_t)want * sizeof *x);
    if (!x)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < want; i++) {
        heedi_value e = heedi_config_item(&v, i);
        if ((e.kind != HEEDI_INT && e.kind != HEEDI_NUM) || !(e.f > 0))
            return heedi_fail(c->ctx, HEED_EFORMAT,
                              "%s: %s: item %lld is no positive number",
                              c->path, full, (long long)i);
        x[i] = e.f;
    }
    *out = x;
    return HEED_OK;
}

static heed_status read_hf(heedi_rope *r, heedi_checkpoint *c,
                           const heedi_rope_keys *keys, const char **type)
{
    char p[64] = "";
    heedi_value v = {0};
    for (int i = 0; i < 2 && keys->object[i]; i++) {
        v = heedi_config(c, keys->object[i]);
        if (v.kind == HEEDI_OBJECT) {
            snprintf(p, sizeof p, "%s.", keys->object[i]);
            break;
        }
        if (v.kind != HEEDI_ABSENT && v.kind != HEEDI_NULL)
            return heedi_fail(c->ctx, HEED_EFORMAT, "%s: %s is not an object",
                              c->path, keys->object[i]);
    }
    double theta;
    HEEDI_TRY(number(c, "", keys->theta, &theta));
    if (!p[0]) {
        r->theta = isnan(theta) ? r->theta : theta;
        return HEED_OK;
    }
    char key[96];
    double inner;
    HEEDI_TRY(number(c, p, "rope_theta", &inner));
    if (!isnan(inner))
        theta = inner;
    r->theta = isnan(theta) ? r->theta : theta;
    for (int i = 0; i < 2; i++) {
        snprintf(key, sizeof key, "%s%s", p, i ? "type" : "rope_type");
        heedi_value t = heedi_config(c, key);
        if (t.kind == HEEDI_STR) {
            *type = t.s;
            break;
        }
        if (t.kind != HEEDI_ABSENT && t.kind != HEEDI_NULL)
            return heedi_fail(c->ctx, HEED_EFORMAT, "%s: %s is not a string",
                              c->path, key);
    }
    heedi_rope_scaling *s = &r->s;
    HEEDI_TRY(number(c, p, "factor", &s->factor));
    HEEDI_TRY(number(c, p, "original_max_position_embeddings", &s->original));
    if (isnan(s->original))
        HEEDI_TRY(
            number(c, "", "original_max_position_embeddings", &s->original));
    HEEDI_TRY(number(c, p, "low_freq_factor", &s->low_freq));
    HEEDI_TRY(number(c, p, "high_freq_factor", &s->high_freq));
    HEEDI_TRY(number(c, p, "beta_fast", &s->beta_fast));
    HEEDI_TRY(number(c, p, "beta_slow", &s->beta_slow));
    HEEDI_TRY(number(c, p, "attention_factor", &s->attention_factor));
    HEEDI_TRY(number(c, p, "mscale", &s->mscale));
    HEEDI_TRY(number(c, p, "mscale_all_dim", &s->mscale_all_dim));
    snprintf(key, sizeof key, "%struncate", p);
    heedi_value tr = heedi_config(c, key);
    s->truncate = tr.kind != HEEDI_BOOL || tr.i;
    HEEDI_TRY(list(c, p, "long_factor", r->rot / 2, &s->long_factor));
    HEEDI_TRY(list(c, p, "short_factor", r->rot / 2, &s->short_factor));
    return HEED_OK;
}

/* rope_freqs.weight of a GGUF file: one divisor for each frequency, which is
 * how llama.cpp stores Llama 3's scaling. */
static heed_status read_factors(heedi_rope *r, heedi_checkpoint *c,
                                const char *name, const double **out)
{
    heedi_tensor *t = heedi_checkpoint_tensor(c, name);
    *out = NULL;
    if (!t)
        return HEED_OK;
    if (t->nd != 1 || t->dim[0] != r->rot / 2 || t->dtype->block != 1 ||
        !t->dtype->is_float)
        return heedi_fail(c->ctx, HEED_ESHAPE, "%s: %s must have %lld numbers",
                          c->path, name, (long long)(r->rot / 2));
    size_t n = (size_t)t->dim[0];
    double *f = heedi_arena_alloc(&c->mem, n * sizeof *f);
    heed_real *tmp = heedi_arena_alloc(&c->mem, n * sizeof *tmp);
    if (!f || !tmp)
        return HEED_ENOMEM;
    heedi_dtype_decode(t->dtype, tmp, t->data, n);
    for (size_t i = 0; i < n; i++)
        if (!((f[i] = (double)tmp[i]) > 0))
            return heedi_fail(c->ctx, HEED_EFORMAT,
                              "%s: %s: item %zu is %g, must be positive",
                              c->path, name, i, f[i]);
    *out = f;
    return HEED_OK;
}

static heed_status read_gguf(heedi_rope *r, heedi_checkpoint *c,
                             const heedi_rope_keys *keys, const char **type)
{
    char p[96], key[128];
    snprintf(p, sizeof p, "%s.rope.", c->arch);
    double theta;
    HEEDI_TRY(number(c, p, keys->gguf_theta, &theta));
    r->theta = isnan(theta) ? r->theta : theta;
    if (!keys->gguf_scaling)
        return HEED_OK;
    heedi_rope_scaling *s = &r->s;
    snprintf(key, sizeof key, "%sscaling.type", p);
    heedi_value t = heedi_config(c, key);
    if (t.kind == HEEDI_STR)
        *type = t.s;
    HEEDI_TRY(number(c, p, "scaling.factor", &s->factor));
    HEEDI_TRY(number(c, p, "scaling.original_context_length", &s->original));
    HEEDI_TRY(number(c, p, "scaling.attn_factor", &s->attention_factor));
    double old;
    HEEDI_TRY(number(c, p, "scale_linear", &old));
    if (isnan(s->factor) && !isnan(old) && old != 1) {
        s->factor = old;
        *type = "linear";
    }
    HEEDI_TRY(read_factors(r, c, "rope_freqs.weight", &s->freq_factor));
    HEEDI_TRY(read_factors(r, c, "rope_factors_long.weight", &s->long_factor));
    return read_factors(r, c, "rope_factors_short.weight", &s->short_factor);
}

/* Every word of the type's `needs` must have been given. */
static heed_status complete(const heedi_rope *r, const heedi_checkpoint *c)
{
    const heedi_rope_scaling *s = &r->s;
    const struct {
        const char *key;
        bool given;
    } had[] = {
        {"factor", !isnan(s->factor)},
        {"low_freq_factor", !isnan(s->low_freq)},
        {"high_freq_factor", !isnan(s->high_freq)},
        {"original_max_position_embeddings", !isnan(s->original)},
        {"long_factor", s->long_factor != NULL},
        {"short_factor", s->short_factor != NULL},
    };
    for (size_t i = 0; i < sizeof had / sizeof *had; i++)
        if (!had[i].given && heedi_has_word(r->type->needs, had[i].key))
            return heedi_fail(c->ctx, HEED_EFORMAT,
                              "%s: rope type '%s' needs %s", c->path,
                              r->type->name, had[i].key);
    return HEED_OK;
}

/* What may be given, and must be positive then. */
typedef struct given {
    const char *key;
    double x;
} given;
enum { N_GIVEN = 7 };

static void all_given(const heedi_rope *r, given out[N_GIVEN])
{
    const heedi_rope_scaling *s = &r->s;
    out[0] = (given){"factor", s->factor};
    out[1] = (given){"original", s->original};
    out[2] = (given){"low_freq_factor", s->low_freq};
    out[3] = (given){"high_freq_factor", s->high_freq};
    out[4] = (given){"beta_fast", s->beta_fast};
    out[5] = (given){"beta_slow", s->beta_slow};
    out[6] = (given){"attention_factor", s->attention_factor};
}

static heed_status possible(const heedi_rope *r, const heedi_checkpoint *c)
{
    given v[N_GIVEN];
    all_given(r, v);
    for (int i = 0; i < N_GIVEN; i++)
        if (!isnan(v[i].x) && !(v[i].x > 0))
            return heedi_fail(c->ctx, HEED_EFORMAT,
                              "%s: rope %s is %g, must be positive", c->path,
                              v[i].key, v[i].x);
    if (r->s.low_freq >= r->s.high_freq)
        return heedi_fail(c->ctx, HEED_EFORMAT,
                          "%s: rope low_freq_factor is %g, must be below "
                          "high_freq_factor, %g",
                          c->path, r->s.low_freq, r->s.high_freq);
    return HEED_OK;
}

static void describe(heedi_rope *r)
{
    given v[N_GIVEN];
    all_given(r, v);
    int n = snprintf(r->text, sizeof r->text, "%s theta=%.9g dim=%lld",
                     r->type->name, r->theta, (long long)r->rot);
    for (int i = 0; i < N_GIVEN; i++)
        if (!isnan(v[i].x) && n > 0 && (size_t)n < sizeof r->text)
            n += snprintf(r->text + n, sizeof r->text - (size_t)n, " %s=%.9g",
                          v[i].key, v[i].x);
}

heed_status heedi_rope_read(heedi_rope *r, heedi_checkpoint *c,
                            double default_theta)
{
    static const heedi_rope_keys usual = {
        "rope_theta", {"rope_parameters", "rope_scaling"}, "freq_base", true};
    return heedi_rope_read_at(r, c, default_theta, &usual);
}

heed_status heedi_rope_read_at(heedi_rope *r, heedi_checkpoint *c,
                               double default_theta,
                               const heedi_rope_keys *keys)
{
    const double none = (double)NAN;
    const char *type = "default";
    r->theta = default_theta;
    r->s = (heedi_rope_scaling){none, none, none, none, none, none, none,
                                none, none, true, 0,    NULL, NULL, NULL};
    HEEDI_TRY(strcmp(c->source, "gguf") == 0 ? read_gguf(r, c, keys, &type)
                                             : read_hf(r, c, keys, &type));
    r->type = type_named(type);
    if (!r->type)
        return heedi_fail(c->ctx, HEED_ENOTSUP,
                          "%s: rope type '%s' is not supported", c->path, type);
    if (!(r->theta > 0) || !isfinite(r->theta))
        return heedi_fail(c->ctx, HEED_EFORMAT,
                          "%s: rope theta is %g, must be positive", c->path,
                          r->theta);
    HEEDI_TRY(possible(r, c));
    describe(r);
    return complete(r, c);
}

void heedi_rope_table(const heedi_rope *r, const heedi_batch *b, double *work,
                      heed_real *out)
{
    const int64_t half = r->rot / 2;
    for (int64_t s = 0; s < b->n_seq; s++) {
        double m = r->type->frequencies(r, b->pos0 + heedi_len(b, s), work);
        for (int64_t i = 0; r->s.freq_factor && i < half; i++)
            work[i] /= r->s.freq_factor[i];
        for (int64_t row = b->start[s]; row < b->start[s + 1]; row++) {
            double pos = (double)(b->pos0 + row - b->start[s]);
            heed_real *o = out + row * r->rot;
            for (int64_t i = 0; i < half; i++) {
                o[2 * i] = (heed_real)(m * cos(pos * work[i]));
                o[2 * i + 1] = (heed_real)(m * sin(pos * work[i]));
            }
        }
    }
}
