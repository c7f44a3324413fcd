#include "report.h"

#include <stdio.h>
#include <string.h>

#include "ctx.h"
#include "leaf.h"
#include "words.h"

heed_status heed_put_input(const heed_sink *s, heed_ctx *ctx,
                           const heed_tokens *tokens)
{
    const int64_t n = tokens->n;
    heedi_arena mem;
    heedi_arena_init(&mem, ctx);
    size_t k = (size_t)(n > 0 ? n : 1);
    const char **text = heedi_arena_alloc(&mem, k * sizeof *text);
    int32_t *id = heedi_arena_alloc(&mem, k * sizeof *id);
    int32_t *word = heedi_arena_alloc(&mem, k * sizeof *word);
    int64_t *start = heedi_arena_alloc(&mem, k * sizeof *start);
    int64_t *end = heedi_arena_alloc(&mem, k * sizeof *end);
    uint8_t *special = heedi_arena_alloc(&mem, k);
    uint8_t *segment = heedi_arena_alloc(&mem, k);
    bool pair = false;
    heed_status st = text && id && word && start && end && special && segment
                         ? HEED_OK
                         : HEED_ENOMEM;
    for (int64_t i = 0; st == HEED_OK && i < n; i++) {
        const heed_token *t = &tokens->token[i];
        text[i] = t->text;
        id[i] = t->id;
        word[i] = t->word_id;
        start[i] = t->byte_start;
        end[i] = t->byte_end;
        special[i] = t->is_special;
        segment[i] = t->segment;
        pair = pair || t->segment > 0;
    }
    const char *whole = tokens->text ? tokens->text : "";
    heed_var v = {.group = "input", .name = "text", .type = HEED_STR};
    if (st == HEED_OK)
        st = heed_put(s, ctx, &v, &whole);
    v.nd = 1;
    v.dim[0] = "pos";
    v.len[0] = n;
    const struct {
        const char *name;
        heed_type type;
        const void *data;
    } col[] = {{"token", HEED_STR, text},        {"token_id", HEED_I32, id},
               {"byte_start", HEED_I64, start},  {"byte_end", HEED_I64, end},
               {"is_special", HEED_U8, special}, {"word_id", HEED_I32, word},
               {"segment", HEED_U8, segment}};
    const size_t n_cols = sizeof col / sizeof *col - !pair;
    for (size_t i = 0; st == HEED_OK && n > 0 && i < n_cols; i++) {
        v.name = col[i].name;
        v.type = col[i].type;
        st = heed_put(s, ctx, &v, col[i].data);
    }
    heedi_arena_clear(&mem);
    return st;
}

heed_status heedi_report_input(heedi_job *j, int64_t input)
{
    const heed_sink *s = &j->sink[input];
    const heed_pixels *p = j->q->input[input].pixels;
    HEEDI_TRY(heed_put_input(s, j->ctx, j->tokens[input]));
    const heedi_patch *k = &j->q->model->patch;
    if (!p)
        return HEED_OK;
    HEEDI_TRY(heed_put_pixels(s, j->ctx, p, 1));
    HEEDI_TRY(heed_put_int(s, j->ctx, "input", "patch_rows", k->rows));
    HEEDI_TRY(heed_put_int(s, j->ctx, "input", "patch_columns", k->cols));
    HEEDI_TRY(heed_put_int(s, j->ctx, "input", "patch_height", k->height));
    return heed_put_int(s, j->ctx, "input", "patch_width", k->width);
}

/* Everything about one explanation group. */
typedef heedi_reporting report;

/* A number, or one for each target. */
static heed_status numbers(const report *p, const char *key, heed_type type,
                           const void *data)
{
    heed_attr a = {type, p->n > 1 ? p->n : -1, data};
    return p->s->attr(p->s->ud, p->j->ctx, p->j->group, key, a);
}

/* Of a token or label; "" of neither. */
static const char *text_of(heedi_job *j, int32_t id)
{
    const heed_model_info *m = &j->q->model->info;
    heed_tokens *t;
    const char *s = "";
    if (id < 0)
        return s;
    if (m->head == HEED_HEAD_CLASS)
        return m->label[id];
    if (heed_tokens_of(&t, j->ctx, j->q->tokenizer, &id, 1) != HEED_OK)
        return NULL;
    if (t->n == 1) {
        size_t n = strlen(t->token[0].text) + 1;
        char *c = heedi_arena_alloc(&j->mem, n);
        s = c ? memcpy(c, t->token[0].text, n) : NULL;
    }
    heed_tokens_free(j->ctx, t);
    return s;
}

/* NaN where a method has no target, or promises no account. */
static heed_status put_account(const report *p)
{
    static const char *const name[] = {"target_value", "sum", "absorbed",
                                       "conservation_residual"};
    for (int k = 0; k < 4; k++) {
        double *x = heedi_arena_alloc(&p->j->mem, (size_t)p->n * sizeof *x);
        if (!x)
            return HEED_ENOMEM;
        for (int64_t i = 0; i < p->n; i++) {
            const heedi_outcome *r = &p->r[i];
            x[i] = k == 0   ? r->aim.value
                   : k == 1 ? r->sum
                   : k == 2 ? r->absorbed
                            : r->residual;
        }
        HEEDI_TRY(numbers(p, name[k], HEED_F64, x));
    }
    return HEED_OK;
}

static heed_status put_positions(const report *p)
{
    int64_t *pos = heedi_arena_alloc(&p->j->mem, (size_t)p->n * sizeof *pos);
    if (!pos)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < p->n; i++)
        pos[i] = p->r[i].aim.at;
    return numbers(p, "target_pos", HEED_I64, pos);
}

static heed_status put_targets(const report *p)
{
    heedi_arena *mem = &p->j->mem;
    const size_t n = (size_t)p->n;
    int32_t *id = heedi_arena_alloc(mem, n * sizeof *id);
    int32_t *foil = heedi_arena_alloc(mem, n * sizeof *foil);
    const char **text = heedi_arena_alloc(mem, n * sizeof *text);
    const char **other = heedi_arena_alloc(mem, n * sizeof *other);
    const char **kind = heedi_arena_alloc(mem, n * sizeof *kind);
    if (!id || !foil || !text || !other || !kind)
        return HEED_ENOMEM;
    bool contrast = false;
    for (size_t i = 0; i < n; i++) {
        const heedi_outcome *r = &p->r[i];
        id[i] = r->aim.kind->info.no_token ? -1 : r->aim.token;
        foil[i] = r->aim.foil;
        kind[i] = r->aim.kind->info.name;
        contrast = contrast || r->aim.foil >= 0;
        text[i] = id[i] >= 0 ? text_of(p->j, id[i]) : "";
        if (!text[i])
            return HEED_ENOMEM;
        other[i] = foil[i] >= 0 ? text_of(p->j, foil[i]) : "";
        if (!other[i])
            return HEED_ENOMEM;
    }
    HEEDI_TRY(numbers(p, "target_kind", HEED_STR, kind));
    HEEDI_TRY(numbers(p, "target_id", HEED_I32, id));
    HEEDI_TRY(numbers(p, "target_text", HEED_STR, text));
    if (!contrast)
        return HEED_OK;
    HEEDI_TRY(numbers(p, "foil_id", HEED_I32, foil));
    return numbers(p, "foil_text", HEED_STR, other);
}

/* What the sum is made of. */
static heed_status put_sums(const report *p)
{
    static const struct {
        const char *name;
        heedi_entry entry;
    } sums[] = {{"position_sum", HEEDI_ENTRY_position},
                {"type_sum", HEEDI_ENTRY_type}};
    double *x[2], *token = heedi_arena_alloc(&p->j->mem, 8 * (size_t)p->n);
    if (!token)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < p->n; i++)
        token[i] = p->r[i].sum;
    for (int k = 0; k < 2; k++) {
        if (!(x[k] = heedi_arena_alloc(&p->j->mem, 8 * (size_t)p->n)))
            return HEED_ENOMEM;
        for (int64_t i = 0; i < p->n; i++) {
            x[k][i] = heedi_ledger_entry(&p->r[i].ledger, 0, sums[k].entry);
            token[i] -= x[k][i];
        }
        if (k == 0 || p->r[0].parts->type)
            HEEDI_TRY(numbers(p, sums[k].name, HEED_F64, x[k]));
    }
    return numbers(p, "token_sum", HEED_F64, token);
}

static const char *units(const heedi_job *j)
{
    return j->units ? j->units : j->times_input ? "target" : "target/embedding";
}

/* As they were asked for, one after the other. */
static heed_status put_rules(const report *p)
{
    const char *const *rule = p->j->q->rules;
    size_t n = 1;
    for (int i = 0; rule && rule[i]; i++)
        n += strlen(rule[i]) + 1;
    if (n == 1)
        return HEED_OK;
    char *all = heedi_arena_alloc(&p->j->mem, n), *at = all;
    if (!all)
        return HEED_ENOMEM;
    for (int i = 0; rule[i]; i++)
        at +=
            snprintf(at, n - (size_t)(at - all), "%s%s", i ? " " : "", rule[i]);
    return heed_put_str(p->s, p->j->ctx, p->j->group, "rules", all);
}

static heed_status put_attributes(const report *p)
{
    heedi_job *j = p->j;
    char options[1024] = "{";
    size_t used = 1;
    for (int i = 0; j->info->options && j->info->options[i].name; i++) {
        int k =
            snprintf(options + used, sizeof options - used, "%s\"%s\": \"%s\"",
                     i ? ", " : "", j->info->options[i].name, j->opt_text[i]);
        used += k > 0 && (size_t)k < sizeof options - used ? (size_t)k : 0;
    }
    snprintf(options + used, sizeof options - used, "}");
    const bool unsigned_ = (!*j->info->reduce && !j->info->is_signed) ||
                           j->reduce == HEEDI_L1 || j->reduce == HEEDI_L2 ||
                           j->reduce == HEEDI_ABSMAX;
    HEEDI_TRY(heed_put_str(p->s, j->ctx, j->group, "method", j->info->name));
    HEEDI_TRY(heed_put_str(p->s, j->ctx, j->group, "options", options));
    HEEDI_TRY(put_rules(p));
    HEEDI_TRY(heed_put_str(p->s, j->ctx, j->group, "reduce", j->reduce_name));
    if (j->o.leaf != HEEDI_LEAF_WORD)
        HEEDI_TRY(heed_put_str(p->s, j->ctx, j->group, "leaf",
                               heedi_leaf_name(j->o.leaf)));
    HEEDI_TRY(heed_put_str(p->s, j->ctx, j->group, "sign",
                           unsigned_ ? "unsigned" : "signed"));
    HEEDI_TRY(heed_put_str(p->s, j->ctx, j->group, "units", units(j)));
    if (p->r[0].parts)
        HEEDI_TRY(put_sums(p));
    const heed_head head = j->q->model->info.head;
    if (head != HEED_HEAD_NEXT)
        HEEDI_TRY(
            heed_put_str(p->s, j->ctx, j->group, "head", heed_head_name(head)));
    if (p->r[0].aim.centered)
        HEEDI_TRY(heed_put_int(p->s, j->ctx, j->group, "centered", 1));
    if (j->info->has_target)
        HEEDI_TRY(put_targets(p));
    HEEDI_TRY(put_positions(p));
    return put_account(p);
}

heed_status heedi_report_rows(const heedi_reporting *p, const char *group,
                              const heed_var *of_one,
                              const void *(*row)(const heedi_outcome *, int),
                              int arg)
{
    heed_var v = *of_one;
    v.group = group;
    if (p->n > 1) {
        for (int d = v.nd; d > 0; d--) {
            v.dim[d] =
                strcmp(v.dim[d - 1], "pos") == 0 ? "source" : v.dim[d - 1];
            v.len[d] = v.len[d - 1];
        }
        v.dim[0] = "target";
        v.len[0] = p->n;
        v.nd++;
    }
    HEEDI_TRY(p->s->define(p->s->ud, p->j->ctx, &v));
    for (int64_t i = 0; i < p->n; i++) {
        int64_t start[HEED_MAX_DIM] = {0}, count[HEED_MAX_DIM];
        memcpy(count, v.len, sizeof count);
        if (p->n > 1) {
            start[0] = i;
            count[0] = 1;
        }
        HEEDI_TRY(p->s->write(p->s->ud, p->j->ctx, group, v.name, start, count,
                              row(&p->r[i], arg)));
    }
    return HEED_OK;
}

static const void *relevance_of(const heedi_outcome *r, int arg)
{
    (void)arg;
    return r->relevance;
}

static const void *pixels_of(const heedi_outcome *r, int by_channel)
{
    return by_channel ? r->channel : r->pixel;
}

static const void *layer_of(const heedi_outcome *r, int arg)
{
    (void)arg;
    return r->layer;
}

/* column -1: what does not close, 0: in, 1: out, 2 + e: entry e */
static const void *ledger_of(const heedi_outcome *r, int arg)
{
    double *column = r->ledger.column;
    if (arg == 0 || arg == 1)
        return arg == 0 ? r->ledger.in : r->ledger.out;
    for (int k = 0; arg < 0 && k < r->ledger.n_ops; k++) {
        column[k] = r->ledger.in[k] - r->ledger.out[k];
        for (int e = 0; e < HEEDI_N_ENTRIES; e++)
            column[k] -= r->ledger.sink[k * HEEDI_N_ENTRIES + e];
        if (r->ledger.in[k] == 0) /* a leaf: nothing arrives that must go on */
            column[k] = 0;
    }
    if (arg < 0)
        return column;
    for (int k = 0; k < r->ledger.n_ops; k++)
        column[k] = r->ledger.sink[k * HEEDI_N_ENTRIES + arg - 2];
    return column;
}

static heed_status put_ledger(const report *p)
{
    heedi_job *j = p->j;
    const heedi_ledger *l = &p->r[0].ledger;
    char group[128], name[64];
    snprintf(group, sizeof group, "%s/ledger", j->group);
    heed_var v = {.group = group,
                  .name = "op_name",
                  .type = HEED_STR,
                  .nd = 1,
                  .dim = {"op"},
                  .len = {l->n_ops}};
    HEEDI_TRY(heed_put(p->s, j->ctx, &v, l->op_name));
    v.type = HEED_F64;
    for (int c = 0; c < 2 && l->detail; c++) {
        v.name = c ? "relevance_out" : "relevance_in";
        HEEDI_TRY(heedi_report_rows(p, group, &v, ledger_of, c));
    }
    for (int e = 0; e < HEEDI_N_ENTRIES; e++) {
        bool any = false;
        for (int64_t i = 0; i < p->n; i++)
            any = any || heedi_ledger_has(&p->r[i].ledger, 0, (heedi_entry)e);
        if (!any)
            continue;
        snprintf(name, sizeof name, "sink_%s", heedi_entry_name[e]);
        v.name = name;
        HEEDI_TRY(heedi_report_rows(p, group, &v, ledger_of, 2 + e));
    }
    if (!l->detail)
        return HEED_OK;
    v.name = "residual";
    return heedi_report_rows(p, group, &v, ledger_of, -1);
}

/* ---- the parts of relevance ---- */

enum {
    TOKEN,
    TYPE,
    POSITION,
    COS,
    SIN,
    HEAD,
    FREQUENCY,
    DISTANCE,
    AHEAD,
    N_PARTS
};

static const void *part_of(const heedi_outcome *r, int which)
{
    const heedi_parts *p = r->parts;
    const void *of[N_PARTS] = {[TOKEN] = p->token,
                               [TYPE] = p->type,
                               [POSITION] = p->position,
                               [COS] = p->cos,
                               [SIN] = p->sin,
                               [HEAD] = p->head,
                               [FREQUENCY] = p->frequency,
                               [DISTANCE] = p->distance,
                               [AHEAD] = p->ahead};
    return of[which];
}

/* dim: after `layer`, before `pos`. */
static const struct {
    const char *name, *long_name, *by; /* by: NULL: always */
    const char *dim[3];
} part_rows[N_PARTS] = {
    [TOKEN] = {"token_relevance",
               "relevance of the token itself",
               NULL,
               {"pos"}},
    [TYPE] = {"type_relevance", "relevance of the token's type", NULL, {"pos"}},
    [POSITION] = {"position_relevance",
                  "relevance of the position",
                  NULL,
                  {"layer", "pos"}},
    [COS] = {"position_relevance_cos",
             "its cosine terms",
             "cos_sin",
             {"layer", "pos"}},
    [SIN] = {"position_relevance_sin",
             "its sine terms",
             "cos_sin",
             {"layer", "pos"}},
    [HEAD] = {"position_relevance_head",
              "by query head",
              "head",
              {"layer", "head", "pos"}},
    [FREQUENCY] = {"position_relevance_frequency",
                   "by pair of dimensions",
                   "frequency",
                   {"layer", "frequency", "pos"}},
    [DISTANCE] = {"position_relevance_distance",
                  "by query less key",
                  "distance",
                  {"layer", "distance"}},
    [AHEAD] = {"position_relevance_ahead",
               "of it, keys after the query",
               "distance",
               {"layer", "distance"}},
};

static int64_t part_length(const report *p, const char *dim)
{
    const heedi_parts *a = p->r[0].parts;
    return strcmp(dim, "layer") == 0       ? a->n
           : strcmp(dim, "head") == 0      ? a->heads
           : strcmp(dim, "frequency") == 0 ? a->frequencies
                                           : p->len;
}

static bool wanted(const heedi_job *j, const char *by)
{
    for (const char *const *s = j->q->position_by; by && s && *s; s++)
        if (heedi_same_name(*s, by))
            return true;
    return !by;
}

static heed_status put_parts(const report *p)
{
    const heedi_parts *a = p->r[0].parts;
    heed_var layer = {.group = p->j->group,
                      .name = "layer",
                      .type = HEED_I32,
                      .nd = 1,
                      .dim = {"layer"},
                      .len = {a->n}};
    if (a->n > 0)
        HEEDI_TRY(heed_put(p->s, p->j->ctx, &layer, a->layer));
    for (int i = 0; i < N_PARTS; i++) {
        heed_var v = {.name = part_rows[i].name,
                      .type = HEED_TYPE_REAL,
                      .units = "target",
                      .long_name = part_rows[i].long_name};
        bool any = part_of(&p->r[0], i) && wanted(p->j, part_rows[i].by);
        for (int d = 0; d < 3 && part_rows[i].dim[d]; d++) {
            v.dim[v.nd] = part_rows[i].dim[d];
            v.len[v.nd] = part_length(p, v.dim[v.nd]);
            any = any && v.len[v.nd++] > 0;
        }
        if (any)
            HEEDI_TRY(heedi_report_rows(p, p->j->group, &v, part_of, i));
    }
    return HEED_OK;
}

static heed_status put_pixels(const report *p)
{
    const heedi_patch *k = &p->j->q->model->patch;
    heed_var v = {.name = "pixel_relevance",
                  .type = HEED_TYPE_REAL,
                  .nd = 2,
                  .dim = {"row", "column"},
                  .len = {k->image_h, k->image_w},
                  .units = units(p->j),
                  .long_name = "relevance of the pixels that the model reads"};
    heed_var w = {.name = "channel_relevance",
                  .type = HEED_TYPE_REAL,
                  .nd = 3,
                  .dim = {"channel", "row", "column"},
                  .len = {k->channels, k->image_h, k->image_w},
                  .units = v.units,
                  .long_name = "the same by channel, before the reduction"};
    HEEDI_TRY(heedi_report_rows(p, p->j->group, &v, pixels_of, 0));
    return p->j->keep_channels
               ? heedi_report_rows(p, p->j->group, &w, pixels_of, 1)
               : HEED_OK;
}

heed_status heedi_report_target(heedi_job *j, int64_t input,
                                const heedi_outcome *r)
{
    const report p = {j, &j->sink[input], r, j->n_targets[input],
                      j->len[input]};
    HEEDI_TRY(put_targets(&p));
    HEEDI_TRY(put_positions(&p));
    return heed_put_num(p.s, j->ctx, j->group, "target_value", r->aim.value);
}

heed_status heedi_report(heedi_job *j, int64_t input, const heedi_outcome *r)
{
    const heed_sink *s = &j->sink[input];
    report p = {j, s, r, j->n_targets[input], j->len[input]};
    HEEDI_TRY(heedi_report_input(j, input));
    heed_var v = {.name = "relevance",
                  .type = HEED_TYPE_REAL,
                  .nd = 1,
                  .dim = {"pos"},
                  .len = {p.len},
                  .units = units(j),
                  .long_name = j->info->summary};
    HEEDI_TRY(heedi_report_rows(&p, j->group, &v, relevance_of, 0));
    if (r[0].parts)
        HEEDI_TRY(put_parts(&p));
    if (r[0].latent)
        HEEDI_TRY(heedi_report_latent(&p));
    if (r[0].pixel)
        HEEDI_TRY(put_pixels(&p));
    if (r[0].layer) {
        heed_var w = {.name = "relevance_layer",
                      .type = HEED_TYPE_REAL,
                      .nd = 2,
                      .dim = {"block", "pos"},
                      .len = {j->q->model->dim['L'] + 1, p.len},
                      .units = "target",
                      .long_name = "relevance at the inputs of layers"};
        HEEDI_TRY(heedi_report_rows(&p, j->group, &w, layer_of, 0));
    }
    HEEDI_TRY(put_attributes(&p));
    return r[0].ledger.n_ops > 0 ? put_ledger(&p) : HEED_OK;
}
