#include "target.h"

#include <math.h>
#include <string.h>

#include "ctx.h"
#include "kernel.h"
#include "words.h"

/* log sum exp in double, and its parts */
static double lse(const heed_real *z, int64_t v)
{
    heed_real max = z[0];
    for (int64_t i = 1; i < v; i++)
        max = z[i] > max ? z[i] : max;
    double sum = 0;
    for (int64_t i = 0; i < v; i++)
        sum += exp((double)z[i] - (double)max);
    return (double)max + log(sum);
}

/* dp_t/dz_v = p_t (delta - p_v) */
static double probability(const heed_real *z, int64_t v, int32_t t, int32_t f,
                          heed_real *c)
{
    double l = lse(z, v), p = exp((double)z[t] - l);
    (void)f;
    for (int64_t i = 0; i < v; i++)
        c[i] = (heed_real)(p * ((i == t) - exp((double)z[i] - l)));
    return p;
}

static double logprob(const heed_real *z, int64_t v, int32_t t, int32_t f,
                      heed_real *c)
{
    double l = lse(z, v);
    (void)f;
    for (int64_t i = 0; i < v; i++)
        c[i] = (heed_real)((i == t) - exp((double)z[i] - l));
    return (double)z[t] - l;
}

static double contrast_prob(const heed_real *z, int64_t v, int32_t t, int32_t f,
                            heed_real *c)
{
    double l = lse(z, v);
    double p = exp((double)z[t] - l), q = exp((double)z[f] - l);
    for (int64_t i = 0; i < v; i++)
        c[i] = (heed_real)(p * (i == t) - q * (i == f) -
                           (p - q) * exp((double)z[i] - l));
    return p - q;
}

/* dH/dz_v = -p_v (log p_v + H) */
static double entropy(const heed_real *z, int64_t v, int32_t t, int32_t f,
                      heed_real *c)
{
    double l = lse(z, v), h = 0;
    (void)t;
    (void)f;
    for (int64_t i = 0; i < v; i++)
        h -= exp((double)z[i] - l) * ((double)z[i] - l);
    for (int64_t i = 0; i < v; i++)
        c[i] = (heed_real)(-exp((double)z[i] - l) * ((double)z[i] - l + h));
    return h;
}

/* exp of the cross-entropy of the token: 1/p_t */
static double perplexity(const heed_real *z, int64_t v, int32_t t, int32_t f,
                         heed_real *c)
{
    double l = lse(z, v), x = exp(l - (double)z[t]);
    (void)f;
    for (int64_t i = 0; i < v; i++)
        c[i] = (heed_real)(-x * ((i == t) - exp((double)z[i] - l)));
    return x;
}

static const heedi_target_kind kinds[] = {
    {{"logit", "logits", "logit of a token", 0}, false, NULL},
    {{"class", "classes", "score of a class, of models that classify", 0},
     false,
     NULL},
    {{"probability", "prob probabilities", "its probability", 0},
     true,
     probability},
    {{"logprob", "logprobs log_prob", "logarithm of its probability", 0},
     true,
     logprob},
    {{"entropy", "", "entropy of the next token, in nats", 0}, true, entropy},
    {{"perplexity", "", "1 / probability of the token", 0}, true, perplexity},
    {{"contrast_logit_diff", "contrast contrast_logits_diff",
      "logit of a token less that of the foil", 1},
     false,
     NULL},
    {{"contrast_prob_diff", "contrast_probs_diff",
      "probability of a token less that of the foil", 1},
     true,
     contrast_prob},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

const heed_target_info *heed_target_at(int i)
{
    return i >= 0 && i < N_KINDS ? &kinds[i].info : NULL;
}

const heedi_target_kind *heedi_target_kind_named(const char *name)
{
    for (int i = 0; i < N_KINDS; i++)
        if (heedi_same_name(kinds[i].info.name, name) ||
            heedi_has_word(kinds[i].info.aliases, name))
            return &kinds[i];
    return NULL;
}

enum { LOGIT, CLASS };

static const heedi_target_kind *kind_of(const heed_target *t)
{
    if (t->kind)
        return heedi_target_kind_named(t->kind);
    return &kinds[0];
}

bool heedi_target_full(const heed_target *t)
{
    const heedi_target_kind *k = kind_of(t);
    return !k || k->all || t->token < 0 || (k->info.contrast && t->foil < 0);
}

heed_status heedi_target_check(heed_ctx *ctx, const heed_target *t, int64_t len,
                               int64_t vocab, const heedi_target_kind **kind)
{
    *kind = kind_of(t);
    if (!*kind)
        return heedi_fail(ctx, HEED_EINVAL, "no kind of target is called '%s'",
                          t->kind);
    if (t->at < -len || t->at >= len)
        return heedi_fail(ctx, HEED_EINVAL,
                          "position %lld is out of range, the input has %lld "
                          "tokens",
                          (long long)t->at, (long long)len);
    if (t->token >= vocab || t->foil >= vocab)
        return heedi_fail(ctx, HEED_EINVAL,
                          "target token id %d is out of range, the vocabulary "
                          "has %lld",
                          (int)(t->token >= vocab ? t->token : t->foil),
                          (long long)vocab);
    if (t->foil >= 0 && !(*kind)->info.contrast)
        return heedi_fail(ctx, HEED_EINVAL,
                          "target '%s' takes no foil; a contrast does",
                          (*kind)->info.name);
    if (t->foil >= 0 && t->foil == t->token)
        return heedi_fail(ctx, HEED_EINVAL,
                          "target and foil are the same token, %d",
                          (int)t->foil);
    return HEED_OK;
}

bool heedi_aim_is_logit(const heedi_aim *a)
{
    return !a->kind->all && !a->kind->info.contrast;
}

heed_target heedi_target_of(const heedi_aim *a)
{
    return (heed_target){a->kind->info.name, a->at, a->token, a->foil};
}

/* z_t less the mean of the others, summed in double. */
static double centered(const heed_real *z, int64_t v, int32_t t, heed_real *c)
{
    double others = 0, n = v > 1 ? (double)(v - 1) : 1;
    for (int64_t i = 0; i < v; i++) {
        others += i == t ? 0 : (double)z[i];
        c[i] = (heed_real)(i == t ? 1 : -1 / n);
    }
    return (double)z[t] - others / n;
}

static void seed_all(heedi_aim *a, const heed_real *z, int64_t v,
                     const heed_real *dense)
{
    a->seed.dense = dense;
    for (int64_t i = 0; i < v; i++)
        a->seed_value += (double)dense[i] * (double)z[i];
}

/* The most likely token that is not `but`; the smaller id among equals. */
static int32_t best(const heed_real *z, int64_t v, int32_t but)
{
    int64_t k = but == 0 ? 1 : 0;
    for (int64_t i = 0; i < v; i++)
        if (i != but && z[i] > z[k])
            k = i;
    return (int32_t)k;
}

heed_status heedi_aim_at(heedi_aim *a, heedi_exec *e, const heed_target *t,
                         int64_t row0, int64_t len, heed_real *z,
                         heed_real *dense)
{
    const int64_t v = e->m->head.rows;
    *a = (heedi_aim){.token = t->token, .foil = -1};
    HEEDI_TRY(heedi_target_check(e->ctx, t, len, v, &a->kind));
    if (a->kind == &kinds[CLASS] && !e->m->classifies)
        return heedi_fail(e->ctx, HEED_EINVAL,
                          "target 'class': '%s' models do not classify",
                          e->m->family->info.name);
    if (a->kind == &kinds[LOGIT] && e->m->classifies)
        a->kind = &kinds[CLASS];
    a->at = e->m->classifies ? 0 : t->at < 0 ? t->at + len : t->at;
    a->seed.row = row0 + a->at;
    if (a->kind->info.contrast)
        a->foil = t->foil;
    a->centered = e->o.center && heedi_aim_is_logit(a);
    if (heedi_target_full(t) || a->centered) {
        HEEDI_TRY(heedi_head_row(e, a->seed.row, z));
        if (a->token < 0)
            a->token = best(z, v, a->foil);
        if (a->kind->info.contrast && a->foil < 0)
            a->foil = best(z, v, a->token);
    }
    if (a->kind->all || a->centered) {
        a->value = a->centered ? centered(z, v, a->token, dense)
                               : a->kind->value(z, v, a->token, a->foil, dense);
        seed_all(a, z, v, dense);
        return HEED_OK;
    }
    heed_real z1;
    a->seed.n = a->foil >= 0 ? 2 : 1;
    a->seed.id[0] = a->token;
    a->seed.id[1] = a->foil;
    a->seed.c[0] = 1;
    a->seed.c[1] = -1;
    if (a->seed.n == 2) {
        HEEDI_TRY(heedi_head_difference(e, a->seed.row, a->seed.id, &a->value));
    } else {
        HEEDI_TRY(heedi_head_tokens(e, a->seed.row, a->seed.id, 1, &z1));
        a->value = (double)z1;
    }
    a->seed_value = a->value;
    return HEED_OK;
}
