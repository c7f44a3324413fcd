#include "hdf5_corpus.h"

#include <string.h>

#include "hdf5_rows.h"
#include "hdf5_same.h"
#include "result.h"

/* Attributes that have a value for each target. */
static const char *const of_targets[] = {
    "target_kind",  "target_id",
    "target_text",  "target_pos",
    "foil_id",      "foil_text",
    "target_value", "sum",
    "absorbed",     "conservation_residual",
    "position_sum", "type_sum",
    "token_sum"};

typedef struct append {
    heedi_h5_rows rows;
    const heed_result *r;
    bool several;
} append;

static bool explains(const char *group)
{
    return strncmp(group, "explanations/", 13) == 0;
}

static int dim_of(const heed_var *v, const char *name)
{
    for (int d = 0; d < v->nd; d++)
        if (strcmp(v->dim[d], name) == 0)
            return d;
    return -1;
}

/* ---- how long the input is along each axis ---- */

static heed_status measure(append *a)
{
    const heed_array *token = heed_result_get(a->r, "input", "token");
    const heed_attr *v;
    const char *group, *key;
    int64_t *now = a->rows.now, targets = 1;
    if (!token)
        return heedi_undefined(a->rows.h->ctx, "input", "token");
    for (int i = 0; (v = heed_result_attr_at(a->r, i, &group, &key)); i++)
        if (explains(group) && strcmp(key, "target_value") == 0)
            targets = v->n < 0 ? 1 : v->n;
    now[HEEDI_SAMPLES] = 1;
    now[HEEDI_TOKENS] = token->var.len[0];
    now[HEEDI_TARGETS] = a->several ? targets : 0;
    now[HEEDI_MAPS] = now[HEEDI_TARGETS] * now[HEEDI_TOKENS];
    return HEED_OK;
}

/* ---- which rows are whose ---- */

typedef struct index_row {
    const char *name, *long_name;
    heedi_axis axis;
    heed_type type;
    /* CF: the dimension that is counted, or the one that is pointed to */
    const char *counts, *instance;
} index_row;

enum { START, SIZE, POS, SAMPLE, T_START, T_SIZE, T_SAMPLE, M_TARGET, M_TOKEN };
static const index_row indices[] = {
    [START] = {"sample_start", "first token of the input", HEEDI_SAMPLES,
               HEED_I64, NULL, NULL},
    [SIZE] = {"sample_size", "number of tokens", HEEDI_SAMPLES, HEED_I64,
              "token_row", NULL},
    [POS] = {"pos", "position of the token in its input", HEEDI_TOKENS,
             HEED_I32, NULL, NULL},
    [SAMPLE] = {"sample_index", "input of the token", HEEDI_TOKENS, HEED_I64,
                NULL, "sample"},
    [T_START] = {"target_start", "first target of the input", HEEDI_SAMPLES,
                 HEED_I64, NULL, NULL},
    [T_SIZE] = {"target_size", "number of targets", HEEDI_SAMPLES, HEED_I64,
                "target_row", NULL},
    [T_SAMPLE] = {"target_sample", "input of the target", HEEDI_TARGETS,
                  HEED_I64, NULL, "sample"},
    [M_TARGET] = {"map_target", "target of the value", HEEDI_MAPS, HEED_I64,
                  NULL, "target_row"},
    [M_TOKEN] = {"map_token", "source token of the value", HEEDI_MAPS, HEED_I64,
                 NULL, "token_row"},
};
enum { N_INDICES = sizeof indices / sizeof *indices };

static int64_t index_at(const append *a, int which, int64_t i)
{
    const int64_t *before = a->rows.before, *now = a->rows.now;
    switch (which) {
    case START:
        return before[HEEDI_TOKENS];
    case SIZE:
        return now[HEEDI_TOKENS];
    case POS:
        return i;
    case T_START:
        return before[HEEDI_TARGETS];
    case T_SIZE:
        return now[HEEDI_TARGETS];
    case M_TARGET:
        return before[HEEDI_TARGETS] + i / now[HEEDI_TOKENS];
    case M_TOKEN:
        return before[HEEDI_TOKENS] + i % now[HEEDI_TOKENS];
    default: /* SAMPLE, T_SAMPLE */
        return before[HEEDI_SAMPLES];
    }
}

static heed_status put_index(append *a, int which)
{
    heedi_h5_rows *r = &a->rows;
    const index_row *x = &indices[which];
    const int64_t n = r->now[x->axis];
    const heedi_h5_block b = {
        {"input", x->name, x->type, 1, {""}, {n}, "1", x->long_name},
        x->axis,
        0};
    hid_t id;
    if (!a->several && which >= T_START)
        return HEED_OK;
    int64_t *v = heedi_alloc(r->h->ctx, (size_t)n * sizeof *v);
    if (!v)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        v[i] = index_at(a, which, i);
    if (x->type == HEED_I32)
        for (int64_t i = 0; i < n; i++)
            ((int32_t *)v)[i] = (int32_t)v[i];
    const bool first = r->before[HEEDI_SAMPLES] == 0;
    heed_status st = heedi_rows_open(r, &b, &id);
    if (st == HEED_OK)
        st = heedi_rows_write(r, &b, id, 0, n, v);
    if (st == HEED_OK && first &&
        ((x->counts &&
          !heedi_h5_text(r->h, id, "sample_dimension", x->counts)) ||
         (x->instance &&
          !heedi_h5_text(r->h, id, "instance_dimension", x->instance))))
        st = heedi_h5_broken(r->h, x->name);
    if (id >= 0)
        H5Dclose(id);
    heedi_free(r->h->ctx, v);
    return st;
}

/* ---- arrays ---- */

static heed_status unfit(append *a, const heed_var *v, const char *why)
{
    return heedi_fail(a->rows.h->ctx, HEED_ENOTSUP,
                      "array %s/%s: %s in a file of many inputs", v->group,
                      v->name, why);
}

/* Where an array of one input goes. Without a target dimension an explanation
 * is of the only target. */
static heed_status place(append *a, const heed_var *v, heedi_h5_block *b)
{
    const bool each = a->several && explains(v->group);
    const int target = dim_of(v, "target");
    int token = dim_of(v, "source");
    token = token < 0 ? dim_of(v, "pos") : token;
    *b = (heedi_h5_block){.v = *v};
    if (dim_of(v, "query") >= 0 || dim_of(v, "key") >= 0)
        return unfit(a, v, "maps of attention are not possible");
    if (target > 0 || (target == 0 && !each))
        return unfit(a, v, "several targets were not announced");
    if (each && target < 0 && a->rows.now[HEEDI_TARGETS] != 1)
        return unfit(a, v, "values of no target are not possible");
    b->axis = token < 0 ? each ? HEEDI_TARGETS : HEEDI_SAMPLES
              : each    ? HEEDI_MAPS
                        : HEEDI_TOKENS;
    b->at = token < 0 ? 0 : token;
    if (target == 0 && token >= 0) { /* (target, x, source) to (x, map_row) */
        b->v.nd--;
        b->at--;
        for (int d = 0; d < b->v.nd; d++) {
            b->v.dim[d] = v->dim[d + 1];
            b->v.len[d] = v->len[d + 1];
        }
    }
    if (target < 0 && token < 0) { /* (x) to (sample, x) */
        if (v->nd == HEED_MAX_DIM)
            return unfit(a, v, "as many dimensions are not possible");
        for (int d = b->v.nd++; d > 0; d--) {
            b->v.dim[d] = v->dim[d - 1];
            b->v.len[d] = v->len[d - 1];
        }
    }
    b->v.dim[b->at] = "";
    b->v.len[b->at] = a->rows.now[b->axis];
    return HEED_OK;
}

static heed_status put_array(append *a, const heed_array *x)
{
    heedi_h5_rows *r = &a->rows;
    const heed_var *v = &x->var;
    heedi_h5_block b;
    hid_t id;
    if (v->nd == 1 && strcmp(v->dim[0], v->name) == 0)
        return HEED_OK; /* coordinates: written with what uses them */
    if (strcmp(v->name, "op_name") == 0)
        return heedi_rows_once(r, v, x->data);
    HEEDI_TRY(place(a, v, &b));
    const int64_t tokens = r->now[HEEDI_TOKENS];
    if (b.axis != HEEDI_MAPS)
        return heedi_numel(b.v.nd, b.v.len) == heedi_numel(v->nd, v->len)
                   ? heedi_rows_put(r, &b, x->data)
                   : unfit(a, v, "dimensions of another length");
    /* one target after the other: theirs is not the first dimension there */
    const int64_t n = r->now[HEEDI_TARGETS], all = heedi_numel(v->nd, v->len);
    const size_t step = (size_t)(all / (n ? n : 1)) * heed_type_size(v->type);
    heed_status st = heedi_rows_open(r, &b, &id);
    for (int64_t i = 0; st == HEED_OK && i < n; i++)
        st = heedi_rows_write(r, &b, id, i * tokens, tokens,
                              (const char *)x->data + (size_t)i * step);
    if (id >= 0)
        H5Dclose(id);
    return st;
}

/* ---- attributes ---- */

static bool has_targets(const char *key)
{
    for (size_t i = 0; i < sizeof of_targets / sizeof *of_targets; i++)
        if (strcmp(of_targets[i], key) == 0)
            return true;
    return false;
}

static heed_status put_attr(append *a, const char *group, const char *key,
                            heed_attr v)
{
    heedi_h5_rows *r = &a->rows;
    const int64_t n = v.n < 0 ? 1 : v.n;
    const bool input = !*group && strcmp(key, "input_sha256") == 0;
    if (!*group && !input)
        return HEED_OK; /* of the run */
    if (v.type == HEED_STR && !has_targets(key) && !input)
        return heedi_h5_keep_attr(r->h, group, key, v);
    heedi_h5_block b = {
        {input ? "input" : group, key, v.type, 1, {""}, {n}, NULL, NULL},
        a->several && has_targets(key) ? HEEDI_TARGETS : HEEDI_SAMPLES,
        0};
    if (n != r->now[b.axis])
        return unfit(a, &b.v, "another number of values is not possible");
    return heedi_rows_put(r, &b, v.data);
}

/* ---- one input ---- */

static heed_status put_all(append *a)
{
    const heed_array *x;
    const heed_attr *v;
    const char *group, *key;
    for (int i = 0; i < N_INDICES; i++)
        HEEDI_TRY(put_index(a, i));
    /* the input first: others have links to it */
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; (x = heed_result_at(a->r, i)); i++)
            if ((strcmp(x->var.group, "input") != 0) == pass)
                HEEDI_TRY(put_array(a, x));
    for (int i = 0; (v = heed_result_attr_at(a->r, i, &group, &key)); i++)
        HEEDI_TRY(put_attr(a, group, key, *v));
    return heedi_rows_end(&a->rows);
}

heed_status heedi_corpus_append(heedi_h5 *h, const heed_result *r, bool several)
{
    append a = {.rows = {.h = h, .values = r}, .r = r, .several = several};
    HEEDI_TRY(measure(&a));
    HEEDI_TRY(heedi_rows_begin(&a.rows));
    return put_all(&a);
}

heed_status heedi_corpus_begin(heedi_h5 *h, const heed_result *run)
{
    const heed_attr *v;
    const char *group, *key;
    for (int i = 0; (v = heed_result_attr_at(run, i, &group, &key)); i++) {
        hid_t g = heedi_h5_group(h, "");
        bool ok = *group || heedi_h5_attr(h, g, key, *v);
        H5Gclose(g);
        if (!ok)
            return heedi_h5_broken(h, key);
    }
    return HEED_OK;
}

int64_t heedi_corpus_count(const heedi_h5 *h)
{
    int64_t n = heedi_rows_count(h, HEEDI_SAMPLES);
    return n > 0 && heedi_rows_count(h, HEEDI_TOKENS) > 0 ? n : -1;
}
