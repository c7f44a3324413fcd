/* document.c - a result as one JSON document: docs/formats.md. */
#include <string.h>

#include "ctx.h"
#include "json.h"
#include "result.h"

typedef struct doc {
    const heed_result *r;
    heedi_json j;
} doc;

static bool among(const char *const *list, const char *name)
{
    for (; *list; list++)
        if (strcmp(*list, name) == 0)
            return true;
    return false;
}

/* ---- model and run ------------------------------------------------------- */

static const char *const of_document[] = {"format", "format_version", NULL};
static const char *const of_model[] = {"model_name",       "model_arch",
                                       "weights_sha256",   "config_sha256",
                                       "tokenizer_sha256", "dtype_weights",
                                       "dtype_compute",    "rope",
                                       "tokenizer",        NULL};

static void put_attr(doc *d, const char *key, const heed_attr *a)
{
    if (a->n < 0)
        heedi_json_value(&d->j, key, a->type, a->data, 0);
    else
        heedi_json_nested(&d->j, key, a->type, a->data, 1, &a->n, 0);
}

static void put_model(doc *d)
{
    heedi_json_open(&d->j, "model", '{');
    for (int i = 0; of_model[i]; i++) {
        const heed_attr *a = heed_result_attr(d->r, "", of_model[i]);
        if (a)
            put_attr(d, of_model[i], a);
    }
    heedi_json_close(&d->j, '}');
}

static void put_run(doc *d)
{
    const char *group, *key;
    const heed_attr *a;
    heedi_json_open(&d->j, "run", '{');
    for (int i = 0; (a = heed_result_attr_at(d->r, i, &group, &key)); i++)
        if (!*group && !among(of_model, key) && !among(of_document, key))
            put_attr(d, key, a);
    heedi_json_close(&d->j, '}');
}

/* ---- input --------------------------------------------------------------- */

static void put_cell(doc *d, const char *key, const char *group,
                     const char *name, int64_t i)
{
    const heed_array *a = heed_result_get(d->r, group, name);
    if (a && i < heedi_numel(a->var.nd, a->var.len))
        heedi_json_value(&d->j, key, a->var.type, a->data, i);
}

static void put_input(doc *d)
{
    const heed_array *token = heed_result_get(d->r, "input", "token");
    const heed_array *text = heed_result_get(d->r, "input", "text");
    const heed_array *special = heed_result_get(d->r, "input", "is_special");
    if (!token && !text)
        return;
    heedi_json_open(&d->j, "input", '{');
    put_cell(d, "text", "input", "text", 0);
    heedi_json_open(&d->j, "tokens", '[');
    for (int64_t i = 0; token && i < token->var.len[0]; i++) {
        heedi_json_open(&d->j, NULL, '{');
        heedi_json_int(&d->j, "pos", i);
        put_cell(d, "id", "input", "token_id", i);
        put_cell(d, "text", "input", "token", i);
        put_cell(d, "byte_start", "input", "byte_start", i);
        put_cell(d, "byte_end", "input", "byte_end", i);
        heedi_json_bool(
            &d->j, "is_special",
            special && heedi_number(special->var.type, special->data, i) != 0);
        put_cell(d, "segment", "input", "segment", i);
        heedi_json_close(&d->j, '}');
    }
    heedi_json_close(&d->j, ']');
    const char *group, *key;
    const heed_attr *a;
    for (int i = 0; (a = heed_result_attr_at(d->r, i, &group, &key)); i++)
        if (strcmp(group, "input") == 0)
            put_attr(d, key, a);
    heedi_json_close(&d->j, '}');
}

/* ---- groups -------------------------------------------------------------- */

/* One target of several: their attributes are arrays of n. */
typedef struct slice {
    int64_t n, i; /* n = 0: there are none */
} slice;

static void put_sliced(doc *d, const char *key, const heed_attr *a, slice s)
{
    if (strcmp(key, "options") == 0 && a->type == HEED_STR)
        heedi_json_raw(&d->j, key, *(const char *const *)a->data);
    else if (s.n && a->n == s.n)
        heedi_json_value(&d->j, key, a->type, a->data, s.i);
    else
        put_attr(d, key, a);
}

static void put_array(doc *d, const heed_array *a, slice s)
{
    const heed_var *v = &a->var;
    if (s.n && v->nd && strcmp(v->dim[0], "target") == 0 && v->len[0] == s.n)
        heedi_json_nested(&d->j, v->name, v->type, a->data, v->nd - 1,
                          v->len + 1, s.i * heedi_numel(v->nd - 1, v->len + 1));
    else
        heedi_json_nested(&d->j, v->name, v->type, a->data, v->nd, v->len, 0);
}

static void put_arrays(doc *d, const char *group, slice s)
{
    const heed_array *a;
    for (int i = 0; (a = heed_result_at(d->r, i)); i++)
        if (strcmp(a->var.group, group) == 0)
            put_array(d, a, s);
}

static void put_keys(doc *d, const char *group, const char *const *keys,
                     slice s)
{
    for (; *keys; keys++) {
        const heed_attr *a = heed_result_attr(d->r, group, *keys);
        if (a)
            put_sliced(d, *keys, a, s);
    }
}

/* Attributes in `first`, arrays, attributes in `last`, then all others that
 * are not in `elsewhere`. */
static const char *const none[] = {NULL};

static void put_others(doc *d, const char *group, const char *const *first,
                       const char *const *last, const char *const *elsewhere,
                       slice s)
{
    const char *at, *key;
    const heed_attr *a;
    for (int i = 0; (a = heed_result_attr_at(d->r, i, &at, &key)); i++)
        if (strcmp(at, group) == 0 && !among(first, key) && !among(last, key) &&
            !among(elsewhere, key))
            put_sliced(d, key, a, s);
}

/* The i-th name, of those that are seen for the first time, of an array or
 * attribute of a group; NULL at the end. */
static const char *group_at(const doc *d, int i)
{
    const char *group, *key;
    const heed_array *a = heed_result_at(d->r, i);
    if (a)
        return a->var.group;
    int n = 0;
    while (heed_result_at(d->r, n))
        n++;
    return heed_result_attr_at(d->r, i - n, &group, &key) ? group : NULL;
}

/* The first of the entries with this prefix; `len` bytes count. */
static bool seen_before(const doc *d, int i, const char *group, size_t len)
{
    for (int k = 0; k < i; k++) {
        const char *g = group_at(d, k);
        if (strncmp(g, group, len) == 0 && (g[len] == '\0' || g[len] == '/'))
            return true;
    }
    return false;
}

static void put_group(doc *d, const char *key, const char *group, slice s);

static void put_children(doc *d, const char *group, slice s)
{
    size_t n = strlen(group);
    const char *g;
    char child[256];
    for (int i = 0; (g = group_at(d, i)); i++) {
        if (strncmp(g, group, n) != 0 || g[n] != '/')
            continue;
        size_t len = n + 1 + strcspn(g + n + 1, "/");
        if (len >= sizeof child || seen_before(d, i, g, len))
            continue;
        memcpy(child, g, len);
        child[len] = '\0';
        put_group(d, child + n + 1, child, s);
    }
}

static void put_group(doc *d, const char *key, const char *group, slice s)
{
    heedi_json_open(&d->j, key, '{');
    put_others(d, group, none, none, none, s);
    put_arrays(d, group, s);
    put_children(d, group, s);
    heedi_json_close(&d->j, '}');
}

/* ---- explanations -------------------------------------------------------- */

static const char *const of_target[][2] = {
    {"kind", "target_kind"}, {"id", "target_id"},    {"text", "target_text"},
    {"pos", "target_pos"},   {"foil_id", "foil_id"}, {"foil_text", "foil_text"},
};
static const char *const target_keys[] = {
    "target_kind", "target_id", "target_text", "target_pos",
    "foil_id",     "foil_text", NULL};
static const char *const first_keys[] = {"method", "options", "reduce",
                                         "units",  "sign",    NULL};
static const char *const last_keys[] = {"sum", "absorbed", "target_value",
                                        "conservation_residual", NULL};

static void put_explanation(doc *d, const char *group, slice s)
{
    static const char *const method[] = {"method", NULL};
    heedi_json_open(&d->j, NULL, '{');
    put_keys(d, group, method, s);
    heedi_json_open(&d->j, "target", '{');
    for (size_t i = 0; i < sizeof of_target / sizeof *of_target; i++) {
        const heed_attr *a = heed_result_attr(d->r, group, of_target[i][1]);
        if (a)
            put_sliced(d, of_target[i][0], a, s);
    }
    heedi_json_close(&d->j, '}');
    put_keys(d, group, first_keys + 1, s);
    put_arrays(d, group, s);
    put_keys(d, group, last_keys, s);
    put_others(d, group, first_keys, last_keys, target_keys, s);
    put_children(d, group, s);
    heedi_json_close(&d->j, '}');
}

static slice targets(const doc *d, const char *group)
{
    const heed_array *a;
    for (int i = 0; (a = heed_result_at(d->r, i)); i++)
        if (strcmp(a->var.group, group) == 0 && a->var.nd > 0 &&
            strcmp(a->var.dim[0], "target") == 0)
            return (slice){a->var.len[0], 0};
    return (slice){0, 0};
}

static void put_explanations(doc *d)
{
    static const char prefix[] = "explanations/";
    const size_t n = sizeof prefix - 1;
    const char *g;
    char group[256];
    bool any = false;
    for (int i = 0; (g = group_at(d, i)); i++) {
        size_t len = n + strcspn(g + (strlen(g) < n ? 0 : n), "/");
        if (strncmp(g, prefix, n) != 0 || len >= sizeof group ||
            seen_before(d, i, g, len))
            continue;
        memcpy(group, g, len);
        group[len] = '\0';
        if (!any)
            heedi_json_open(&d->j, "explanations", '[');
        any = true;
        slice s = targets(d, group);
        do
            put_explanation(d, group, s);
        while (++s.i < s.n);
    }
    if (any)
        heedi_json_close(&d->j, ']');
}

/* ---- predictions --------------------------------------------------------- */

/* Arrays of group "predictions": pos (row); id, text, logit, logprob and
 * probability (row, rank). */
static void put_predictions(doc *d)
{
    static const char *const column[] = {"id", "text", "logit", "logprob",
                                         "probability"};
    const heed_array *pos = heed_result_get(d->r, "predictions", "pos");
    const heed_array *id = heed_result_get(d->r, "predictions", "id");
    if (!id || id->var.nd != 2)
        return;
    heedi_json_open(&d->j, "predictions", '[');
    for (int64_t i = 0; i < id->var.len[0]; i++) {
        heedi_json_open(&d->j, NULL, '{');
        if (pos)
            put_cell(d, "pos", "predictions", "pos", i);
        heedi_json_open(&d->j, "tokens", '[');
        for (int64_t k = 0; k < id->var.len[1]; k++) {
            heedi_json_open(&d->j, NULL, '{');
            for (int c = 0; c < 5; c++)
                put_cell(d, column[c], "predictions", column[c],
                         i * id->var.len[1] + k);
            heedi_json_close(&d->j, '}');
        }
        heedi_json_close(&d->j, ']');
        heedi_json_close(&d->j, '}');
    }
    heedi_json_close(&d->j, ']');
}

/* ---- the whole ----------------------------------------------------------- */

/* Everything else under the names of its groups; the root's arrays, but for
 * coordinates, in the document itself. */
static void put_rest(doc *d)
{
    static const char *const done[] = {"input", "explanations", "predictions",
                                       "", NULL};
    const heed_array *a;
    const char *g;
    char group[256];
    for (int i = 0; (a = heed_result_at(d->r, i)); i++)
        if (!*a->var.group &&
            !(a->var.nd == 1 && strcmp(a->var.dim[0], a->var.name) == 0))
            put_array(d, a, (slice){0, 0});
    for (int i = 0; (g = group_at(d, i)); i++) {
        size_t len = strcspn(g, "/");
        if (len >= sizeof group)
            continue;
        memcpy(group, g, len);
        group[len] = '\0';
        if (!among(done, group) && !seen_before(d, i, group, len))
            put_group(d, group, group, (slice){0, 0});
    }
}

heed_status heedi_document(heed_ctx *ctx, heedi_out *o, const heed_result *r)
{
    doc d = {r, {o, false}};
    (void)ctx;
    heedi_json_open(&d.j, NULL, '{');
    heedi_json_text(&d.j, "format", "heed");
    heedi_json_int(&d.j, "format_version", 1);
    put_model(&d);
    put_run(&d);
    put_input(&d);
    put_explanations(&d);
    put_predictions(&d);
    put_rest(&d);
    heedi_json_close(&d.j, '}');
    heedi_out_text(o, "\n");
    return HEED_OK;
}
