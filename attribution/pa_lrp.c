#include "method.h"

#include <math.h>

#include "ctx.h"
#include "patches.h"
#include "stabiliser.h"
#include "words.h"

/* attn_lrp in which positions are inputs of their own: learned tables take
 * their share of the sum that they enter; the sines and cosines of a rotation
 * are live and take half of what arrives at rotated dimensions, in every
 * layer; a score bias takes its share of the scores. What a position gets
 * belongs to the token that stands there. */
static const heedi_method_rule rules[] = {
    {&heedi_rule_position_read, NULL, {0}},
    {&heedi_rule_segment_read, NULL, {0}},
    {&heedi_rule_rope_half, NULL, {0}},
    {&heedi_rule_bias_read, NULL, {0}},
    {0},
};

#define OPTIONS(O)                                                           \
    O(aggregate, "sum|code|paper", "sum", 0, 0,                              \
      "of tokens and positions: signed sum; as the official code: |cos| + "  \
      "|sin| of positions, divided by the largest; as the paper: positive "  \
      "parts")                                                               \
    O(channel, "joint|cos_sin", "joint", 0, 0,                               \
      "whose positive parts 'paper' takes: of rotated dimensions, or of "    \
      "their cosine and sine terms")                                         \
    O(bias, "half|key", "half", 0, 0,                                        \
      "a score bias belongs to query and key, or to the key alone")          \
    O(alibi, "relative|absolute", "relative", 0, 0,                          \
      "ALiBi as -slope (query - key), or as slope * key: softmax does not "  \
      "tell them apart, relevance does")                                     \
    O(read, "both|tokens|positions", "both", 0, 0,                           \
      "what relevance is made of")                                           \
    O(preset, "none|pa_vit|bertpe", "none", 0, 0,                            \
      "as the official code: pa_vit of DeiT, a map of pixels that is never " \
      "negative; bertpe of BERT")                                            \
    HEEDI_STABILISER_OPTION(O)
enum { OPTIONS(HEEDI_OPTION_INDEX) };
static const heed_option options[] = {OPTIONS(HEEDI_OPTION_ROW){0}};
enum { SUM, CODE, PAPER };
enum { BOTH, TOKENS, POSITIONS };
enum { NONE, PA_VIT, BERTPE };

/* What a token has of its own and what its positions have, as far as they are
 * asked for. */
static double own(const heedi_job *j, const heedi_parts *p, int64_t t)
{
    const bool typed = p->type && j->opt[opt_preset] != BERTPE;
    return j->opt[opt_read] == POSITIONS
               ? 0
               : (double)p->token[t] + (typed ? (double)p->type[t] : 0);
}

static double placed(const heedi_job *j, const heedi_parts *p, int64_t t)
{
    double sum = 0;
    for (int64_t k = 0; k < p->n; k++)
        sum += (double)p->position[k * p->len + t];
    return j->opt[opt_read] == TOKENS ? 0 : sum;
}

static void by_sum(const heedi_job *j, heedi_outcome *o)
{
    for (int64_t t = 0; t < o->parts->len; t++)
        o->relevance[t] =
            (heed_real)(own(j, o->parts, t) + placed(j, o->parts, t));
}

static void by_code(const heedi_job *j, heedi_outcome *o)
{
    const heedi_parts *p = o->parts;
    double most = 0;
    for (int64_t t = 0; t < p->len; t++) {
        double r = own(j, p, t);
        for (int64_t k = 0; j->opt[opt_read] != TOKENS && k < p->n; k++) {
            const int64_t i = k * p->len + t;
            const double c = (double)p->cos[i], s = (double)p->sin[i];
            r += fabs(c) + fabs(s) + ((double)p->position[i] - c - s);
        }
        o->relevance[t] = (heed_real)r;
        most = fmax(most, fabs(r));
    }
    for (int64_t t = 0; most > 0 && t < p->len; t++)
        o->relevance[t] = (heed_real)((double)o->relevance[t] / most);
}

static void by_paper(const heedi_job *j, heedi_outcome *o)
{
    const heedi_parts *p = o->parts;
    const double *position = j->opt[opt_channel] == 0 ? p->joint : p->apart;
    for (int64_t t = 0; t < p->len; t++)
        o->relevance[t] =
            (heed_real)((j->opt[opt_read] != POSITIONS ? o->positive[t] : 0) +
                        (j->opt[opt_read] != TOKENS ? position[t] : 0));
}

/* The official map: relevance of 1 at the class, what the position of a patch
 * has in equal parts over its pixels, nothing below 0. A patch has the sum of
 * its pixels, a learned token no place. */
static void by_map(const heedi_job *j, heedi_outcome *o)
{
    const heed_model *m = j->q->model;
    const heedi_parts *p = o->parts;
    const int64_t area = m->patch.height * m->patch.width;
    const double value = o->aim.value != 0 ? o->aim.value : 1;
    for (int64_t t = 0; t < p->len; t++) {
        double sum = 0;
        const double share = placed(j, p, t) / (double)area;
        for (int64_t k = 0; t >= m->patch.prefix && k < area; k++) {
            heed_real *x = &o->pixel[heedi_patch_pixel(m, t, k)];
            const double r = j->opt[opt_read] != POSITIONS ? (double)*x : 0;
            *x = (heed_real)fmax(0, (r + share) / value);
            sum += (double)*x;
        }
        o->relevance[t] = (heed_real)sum;
    }
}

static void aggregate(const heedi_job *j, heedi_outcome *o)
{
    if (j->opt[opt_preset] == PA_VIT)
        by_map(j, o);
    else if (j->opt[opt_aggregate] == CODE)
        by_code(j, o);
    else if (j->opt[opt_aggregate] == PAPER)
        by_paper(j, o);
    else if (j->opt[opt_read] != BOTH || j->opt[opt_preset] == BERTPE)
        by_sum(j, o); /* else that is what is there */
}

static const struct {
    const char *name;
    int what;
} splits[] = {{"head", HEEDI_READ_HEAD},
              {"frequency", HEEDI_READ_CHANNEL},
              {"distance", HEEDI_READ_DISTANCE},
              {"cos_sin", HEEDI_READ_POSITION}};
enum { N_SPLITS = sizeof splits / sizeof *splits };

static heed_status split(heedi_job *j, const char *name)
{
    for (int i = 0; i < N_SPLITS; i++)
        if (heedi_same_name(splits[i].name, name)) {
            j->o.readout |= splits[i].what;
            return HEED_OK;
        }
    return heedi_fail(j->ctx, HEED_EINVAL,
                      "relevance of positions by '%s': must be head, "
                      "frequency, distance or cos_sin",
                      name);
}

/* Under constant attention nothing reaches q and k, and so no rotation. */
static bool starved(const heedi_node *y, const void *table)
{
    const heedi_back b =
        heedi_back_of(y, (heedi_rules){HEEDI_RELEVANCE, table});
    return y->op == &heedi_op_attention && (b.stops & HEEDI_IN0) &&
           y->in[0]->op == &heedi_op_rope;
}

static heed_status settled(heedi_job *j)
{
    bool found;
    HEEDI_TRY(heedi_model_has(j->ctx, j->q->model, starved, j->rule, &found));
    if (!found)
        return HEED_OK;
    return heedi_fail(j->ctx, HEED_ENOTSUP,
                      "%s: with constant attention no relevance reaches "
                      "rotated positions",
                      j->info->name);
}

/* The family's rows of that name, if it has them. */
static heed_status composite(heedi_job *j, const char *name, bool *found)
{
    const heedi_composite *c = j->q->model->family->composites;
    while (c && c->name && !heedi_same_name(c->name, name))
        c++;
    *found = c && c->name;
    for (int i = 0; *found && c->rows[i]; i++) {
        heedi_rule r;
        HEEDI_TRY(heedi_rule_parse(&r, j->ctx, &j->mem, c->rows[i]));
        if (j->o.stab && heedi_same_name(r.name, heedi_rule_gamma.info.name))
            r.arg[1] = j->o.stab->gamma;
        heedi_job_rule(j, r);
    }
    return HEED_OK;
}

static heed_status choose_rules(heedi_job *j)
{
    const char *preset = j->opt_text[opt_preset];
    const bool any = j->opt[opt_preset] != NONE;
    bool found;
    HEEDI_TRY(composite(j, any ? preset : j->info->name, &found));
    if (!any || found)
        return HEED_OK;
    return heedi_fail(j->ctx, HEED_ENOTSUP,
                      "%s: preset %s is not for '%s' models", j->info->name,
                      preset, j->q->model->family->info.name);
}

static heed_status check(heedi_job *j)
{
    j->o.stab = heedi_stabiliser_at(j->opt[opt_stab]);
    HEEDI_TRY(choose_rules(j));
    if (j->opt[opt_preset] != NONE && j->opt[opt_aggregate] != SUM)
        return heedi_fail(j->ctx, HEED_EINVAL,
                          "%s: preset %s sums in its own way, not by "
                          "aggregate %s",
                          j->info->name, j->opt_text[opt_preset],
                          j->opt_text[opt_aggregate]);
    if (j->reduce != HEEDI_SUM)
        return heedi_fail(j->ctx, HEED_EINVAL,
                          "%s: reduces by sum alone, not by %s", j->info->name,
                          j->reduce_name);
    j->o.readout = HEEDI_READ_POSITION;
    if (j->opt[opt_aggregate] == PAPER)
        j->o.readout |= HEEDI_READ_CHANNEL;
    if (j->opt[opt_bias] != 0)
        j->o.readout |= HEEDI_READ_KEY;
    if (j->opt[opt_alibi] != 0)
        j->o.readout |= HEEDI_READ_ABSOLUTE;
    for (const char *const *s = j->q->position_by; s && *s; s++)
        HEEDI_TRY(split(j, *s));
    j->aggregate = aggregate;
    return HEED_OK;
}

const heedi_method heedi_method_pa_lrp = {
    .info = {.name = "pa_lrp",
             .aliases = "palrp",
             .summary = "relevance of tokens and of their positions",
             .cite = "Bakish et al. 2025, arXiv:2506.02138",
             .reduce = "sum",
             .options = options,
             .has_target = 1,
             .is_signed = 1,
             .conserves = 1},
    .pass = HEEDI_RELEVANCE,
    .has_leaf = true,
    .rules = rules,
    .check = check,
    .settled = settled,
    .run = heedi_run_gradient,
};
