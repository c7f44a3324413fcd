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

enum {
    TOKEN = 1 << HEED_HEAD_NEXT | 1 << HEED_HEAD_MASKED,
    LABEL = 1 << HEED_HEAD_CLASS,
    TEXT = 1 << HEED_HEAD_EMBEDDING
};

static const heedi_target_kind kinds[] = {
    {{"logit", "logits", "logit of a token or label", 0, 0, 0, TOKEN | LABEL},
     false,
     NULL},
    {{"probability", "prob probabilities", "its probability", 0, 0, 0,
      TOKEN | LABEL},
     true,
     probability},
    {{"logprob", "logprobs log_prob", "logarithm of its probability", 0, 0, 0,
      TOKEN | LABEL},
     true,
     logprob},
    {{"entropy", "", "entropy of the token or label, in nats", 0, 1, 0,
      TOKEN | LABEL},
     true,
     entropy},
    {{"perplexity", "", "1 / probability of the token or label", 0, 0, 0,
      TOKEN | LABEL},
     true,
     perplexity},
    {{"contrast_logit_diff", "contrast contrast_logits_diff",
      "logit of a token or label less that of the foil", 1, 0, 0,
      TOKEN | LABEL},
     false,
     NULL},
    {{"contrast_prob_diff", "contrast_probs_diff",
      "probability of a token or label less that of the foil", 1, 0, 0,
      TOKEN | LABEL},
     true,
     contrast_prob},
    {{"class", "label", "logit of a label", 0, 0, 0, LABEL}, false, NULL},
    {{"similarity", "cosine", "cosine of the embeddings of two texts", 0, 1, 1,
      TEXT},
     false,
     NULL},
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

const heedi_target_kind *heedi_target_kind_of(const heed_model *m,
                                              const heed_target *t)
{
    static const char *const by_head[] = {[HEED_HEAD_NEXT] = "logit",
                                          [HEED_HEAD_MASKED] = "logit",
                                          [HEED_HEAD_CLASS] = "class",
                                          [HEED_HEAD_EMBEDDING] = "similarity"};
    return heedi_target_kind_named(t->kind ? t->kind : by_head[m->info.head]);
}

bool heedi_target_full(const heed_model *m, const heed_target *t)
{
    const heedi_target_kind *k = heedi_target_kind_of(m, t);
    return !k || k->all || t->token < 0 || (k->info.contrast && t->foil < 0);
}

int64_t heedi_target_room(const heed_model *m)
{
    return m->info.head == HEED_HEAD_EMBEDDING ? 2 * m->head.cols
                                               : m->head.rows;
}

bool heedi_target_dense(const heedi_exec *e, const heedi_target_kind *kind)
{
    return kind->all || kind->info.pair || e->o.center;
}

int64_t heedi_target_at(const heed_model *m, const heed_target *t, int64_t len)
{
    const bool whole =
        m->info.head == HEED_HEAD_CLASS || m->info.head == HEED_HEAD_EMBEDDING;
    if (t->at == HEED_AT_HEAD)
        return whole ? 0 : len - 1;
    return t->at < 0 ? t->at + len : t->at;
}

static heed_status check_at(heed_ctx *ctx, const heed_target *t, int64_t len,
                            const heed_model *m)
{
    const heed_head h = m->info.head;
    const bool whole = h == HEED_HEAD_CLASS || h == HEED_HEAD_EMBEDDING;
    if (t->at == HEED_AT_HEAD && h == HEED_HEAD_MASKED)
        return heedi_fail(ctx, HEED_EINVAL,
                          "a masked model needs the position that is to be "
                          "explained");
    if (t->at == HEED_AT_HEAD || (whole && t->at == 0))
        return HEED_OK;
    if (whole)
        return heedi_fail(ctx, HEED_EINVAL,
                          "position %lld: a model with a head '%s' explains "
                          "the text as a whole",
                          (long long)t->at, heed_head_name(h));
    if (t->at < -len || t->at >= len)
        return heedi_fail(ctx, HEED_EINVAL,
                          "position %lld is out of range, the input has %lld "
                          "tokens",
                          (long long)t->at, (long long)len);
    return HEED_OK;
}

/* Labels that exclude each other have probabilities that add up to 1. */
static heed_status check_labels(heed_ctx *ctx, const heed_model *m,
                                const heedi_target_kind *kind)
{
    if (!kind->all || m->info.head != HEED_HEAD_CLASS ||
        (!m->info.multi_label && m->info.n_labels > 1))
        return HEED_OK;
    return heedi_fail(ctx, HEED_ENOTSUP,
                      "target '%s': the labels of this model do not exclude "
                      "each other; 'class' explains the logit of one",
                      kind->info.name);
}

heed_status heedi_target_check(heed_ctx *ctx, const heed_target *t, int64_t len,
                               const heed_model *m,
                               const heedi_target_kind **kind)
{
    const int64_t v = m->head.rows;
    *kind = heedi_target_kind_of(m, t);
    if (!*kind)
        return heedi_fail(ctx, HEED_EINVAL, "no kind of target is called '%s'",
                          t->kind);
    if (!((*kind)->info.heads >> m->info.head & 1))
        return heedi_fail(ctx, HEED_EINVAL,
                          "target '%s': this model has another head, '%s'",
                          (*kind)->info.name, heed_head_name(m->info.head));
    if ((*kind)->info.pair && (t->token >= 0 || t->foil >= 0))
        return heedi_fail(ctx, HEED_EINVAL, "target '%s' is of no token",
                          (*kind)->info.name);
    HEEDI_TRY(check_labels(ctx, m, *kind));
    HEEDI_TRY(check_at(ctx, t, len, m));
    if (t->token >= v || t->foil >= v)
        return heedi_fail(ctx, HEED_EINVAL,
                          m->info.head == HEED_HEAD_CLASS
                              ? "target label %d is out of range, the model "
                                "has %lld labels"
                              : "target token id %d is out of range, the "
                                "vocabulary has %lld",
                          (int)(t->token >= v ? t->token : t->foil),
                          (long long)v);
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
    return !a->kind->all && !a->kind->info.contrast && !a->kind->info.pair;
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

/* cos(u, v) = <u, v> / (|u| |v|). Relevance holds the lengths constant and
 * gives each text a half of the product; the gradient is that of all. */
static heed_status similarity(heedi_aim *a, const heedi_exec *e,
                              heed_real *hidden)
{
    const int64_t c = e->m->head.cols;
    const heedi_vector_table *v = heedi_vector();
    const heed_real *x[2] = {heedi_head_state(e, a->seed.row),
                             heedi_head_state(e, a->seed.other)};
    const double uv = v->dot((size_t)c, x[0], x[1]);
    const double length[2] = {sqrt(v->dot((size_t)c, x[0], x[0])),
                              sqrt(v->dot((size_t)c, x[1], x[1]))};
    const double n = length[0] * length[1];
    const bool whole = e->o.rules.pass != HEEDI_RELEVANCE;
    if (!(n > 0) || !isfinite(n))
        return heedi_fail(e->ctx, HEED_ENUMERIC,
                          "similarity: the embedding of a text has the length "
                          "%g",
                          !(length[0] > 0) ? length[0] : length[1]);
    a->value = a->seed_value = uv / n;
    for (int k = 0; k < 2; k++)
        for (int64_t i = 0; i < c; i++) {
            const double other = (double)x[!k][i] / n;
            const double own = a->value * (double)x[k][i];
            hidden[k * c + i] =
                (heed_real)(whole ? other - own / (length[k] * length[k])
                                  : other / 2);
        }
    a->seed.hidden = hidden;
    return HEED_OK;
}

heed_status heedi_aim_length(heedi_aim *a, const heedi_exec *e, int64_t row0,
                             heed_real *dense)
{
    const int64_t c = e->m->head.cols;
    const heed_real *x = heedi_head_state(e, row0);
    *a = (heedi_aim){.token = -1, .foil = -1};
    a->seed = (heedi_seed){.row = row0, .other = -1, .hidden = dense};
    a->value = a->seed_value = sqrt(heedi_vector()->dot((size_t)c, x, x));
    if (!(a->value > 0))
        return heedi_fail(e->ctx, HEED_ENUMERIC,
                          "the embedding of the text has the length %g",
                          a->value);
    for (int64_t i = 0; i < c; i++)
        dense[i] = (heed_real)((double)x[i] / a->value);
    return HEED_OK;
}

heed_status heedi_aim_at(heedi_aim *a, heedi_exec *e, const heed_target *t,
                         int64_t row0, int64_t len, heed_real *z,
                         heed_real *dense)
{
    const int64_t v = e->m->head.rows;
    *a = (heedi_aim){.token = t->token, .foil = -1};
    HEEDI_TRY(heedi_target_check(e->ctx, t, len, e->m, &a->kind));
    a->at = heedi_target_at(e->m, t, len);
    a->seed.row = row0 + a->at;
    if (a->kind->info.pair) {
        const int64_t s = heedi_sequence_of(&e->batch, row0);
        a->seed.other = e->batch.start[s + 1];
        return similarity(a, e, dense);
    }
    if (a->kind->info.contrast)
        a->foil = t->foil;
    a->centered = e->o.center && heedi_aim_is_logit(a);
    if (heedi_target_full(e->m, t) || a->centered) {
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
