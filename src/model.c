#include "model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctx.h"
#include "params.h"
#include "words.h"

#define ROW(name) extern const heedi_family heedi_family_##name;
#include "families.inc"
#undef ROW

const heedi_family *const heedi_families[] = {
#define ROW(name) &heedi_family_##name,
#include "families.inc"
#undef ROW
    NULL,
};

enum { N_FAMILIES = sizeof heedi_families / sizeof *heedi_families - 1 };

const heed_family_info *heed_family_at(int i)
{
    return i >= 0 && i < N_FAMILIES ? &heedi_families[i]->info : NULL;
}

const char *heed_head_name(heed_head h)
{
    static const char *const names[] = {"next token", "masked token", "class",
                                        "embedding"};
    return names[h];
}

const heed_model_info *heed_model_about(const heed_model *m)
{
    return &m->info;
}

heed_status heedi_model_tape(heed_ctx *ctx, const heed_model *m, int64_t block,
                             heedi_tape_fn *fn, void *ud)
{
    char prefix[32] = "";
    heedi_arena mem;
    heedi_arena_init(&mem, ctx);
    if (block > 0 && block <= m->dim['L'])
        snprintf(prefix, sizeof prefix, "blk.%lld.", (long long)(block - 1));
    heedi_tape t = {
        .ctx = ctx, .mem = &mem, .prefix = prefix, .layer = block - 1};
    if (block > 0)
        t.in = heedi_outside(&t, m->dim['C']);
    m->family->build(m, block, &t, t.in);
    heed_status st = t.status == HEED_OK ? fn(ud, &t) : t.status;
    heedi_arena_clear(&mem);
    return st;
}

typedef struct sought {
    heedi_node_is *is;
    const void *arg;
    bool *found;
} sought;

static heed_status search(void *ud, const heedi_tape *t)
{
    const sought *s = ud;
    for (const heedi_node *y = t->first; y; y = y->next)
        *s->found = *s->found || s->is(y, s->arg);
    return HEED_OK;
}

heed_status heedi_model_has(heed_ctx *ctx, const heed_model *m,
                            heedi_node_is *is, const void *arg, bool *found)
{
    sought s = {is, arg, found};
    *found = false;
    for (int64_t b = 0; !*found && b < heedi_blocks(m); b++)
        HEEDI_TRY(heedi_model_tape(ctx, m, b, search, &s));
    return HEED_OK;
}

heedi_node *heedi_linear(heedi_tape *t, const char *name, const heedi_weight *w,
                         const heed_real *bias, heedi_node *x)
{
    const int64_t n = w->transposed ? w->cols : w->rows;
    return heedi_apply(
        t, &heedi_op_linear,
        ((heedi_with){
            .name = name, .w = w, .vec = bias, .n_vec = bias ? n : 0}),
        x);
}

/* ---- configuration ---- */

/* Also the name: of the key that is there, else the first one. */
typedef struct found {
    heedi_value v;
    const char *name;
    int len;
} found;

static found find_key(const heed_model *m, const char *hf, const char *gguf)
{
    const char *names = m->gguf ? gguf : hf;
    char key[160];
    found f = {{.kind = HEEDI_ABSENT}, names, (int)strcspn(names, " ")};
    for (const char *s = names; *s; s += *s == ' ') {
        const int n = (int)strcspn(s, " ");
        snprintf(key, sizeof key, "%s%s%.*s", m->gguf ? m->ckpt->arch : "",
                 m->gguf ? "." : "", n, s);
        heedi_value v = heedi_config(m->ckpt, key);
        if (v.kind != HEEDI_ABSENT)
            return (found){v, s, n};
        s += n;
    }
    return f;
}

static bool unset(heedi_value v)
{
    return v.kind == HEEDI_ABSENT || v.kind == HEEDI_NULL;
}

heedi_value heedi_key_value(const heed_model *m, const char *hf,
                            const char *gguf)
{
    return find_key(m, hf, gguf).v;
}

heed_status heedi_key_number(heed_model *m, const char *hf, const char *gguf,
                             double def, double min, double max, double *out)
{
    const found f = find_key(m, hf, gguf);
    *out = def;
    if (unset(f.v)) {
        if (isnan(def))
            return heedi_fail(m->ctx, HEED_EFORMAT, "%s: no '%.*s'",
                              m->info.path, f.len, f.name);
        return HEED_OK;
    }
    if (f.v.kind != HEEDI_INT && f.v.kind != HEEDI_NUM)
        return heedi_fail(m->ctx, HEED_EFORMAT, "%s: '%.*s' is not a number",
                          m->info.path, f.len, f.name);
    *out = f.v.f;
    if (!(f.v.f >= min && f.v.f <= max))
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: '%.*s' is %g, must be from %g to %g",
                          m->info.path, f.len, f.name, f.v.f, min, max);
    return HEED_OK;
}

heed_status heedi_key_whole(heed_model *m, const char *hf, const char *gguf,
                            double def, double min, double max, int64_t *out)
{
    double x;
    HEEDI_TRY(heedi_key_number(m, hf, gguf, def, min, max, &x));
    *out = (int64_t)x;
    if (x == floor(x))
        return HEED_OK;
    const found f = find_key(m, hf, gguf);
    return heedi_fail(m->ctx, HEED_EFORMAT,
                      "%s: '%.*s' is %g, must be a whole number", m->info.path,
                      f.len, f.name, x);
}

heed_status heedi_key_bool(heed_model *m, const char *hf, bool def, bool *out)
{
    const found f = find_key(m, hf, "");
    *out = def;
    if (unset(f.v))
        return HEED_OK;
    if (f.v.kind != HEEDI_BOOL)
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: '%.*s' is not true or false", m->info.path,
                          f.len, f.name);
    *out = f.v.i != 0;
    return HEED_OK;
}

heed_status heedi_key_act(heed_model *m, const char *hf, const char *def,
                          const heedi_activation **out)
{
    const found f = find_key(m, hf, "");
    const char *name = f.v.kind == HEEDI_STR ? f.v.s : def;
    if (f.v.kind != HEEDI_STR && !unset(f.v))
        return heedi_fail(m->ctx, HEED_EFORMAT, "%s: '%.*s' is not a string",
                          m->info.path, f.len, f.name);
    *out = heedi_activation_named(name);
    if (!*out)
        return heedi_fail(m->ctx, HEED_ENOTSUP,
                          "%s: activation '%s' is not supported", m->info.path,
                          name);
    m->info.act = (*out)->name;
    return HEED_OK;
}

double heedi_decimal(double x)
{
    for (int digits = 1; digits <= 6; digits++) {
        char text[32];
        snprintf(text, sizeof text, "%.*g", digits, x);
        double d = strtod(text, NULL);
        if ((float)d == (float)x)
            return d;
    }
    return x;
}

heed_status heedi_key_eps(heed_model *m, const char *hf, const char *gguf,
                          double def, double *out)
{
    HEEDI_TRY(heedi_key_number(m, hf, gguf, def, 0, 1, out));
    if (m->gguf)
        *out = heedi_decimal(*out);
    return HEED_OK;
}

heed_status heedi_key_softcap(heed_model *m, const char *hf, const char *gguf,
                              double def)
{
    if (heedi_key_value(m, hf, gguf).kind != HEEDI_NULL)
        return heedi_key_number(m, hf, gguf, def, 0, 1e6, &m->softcap);
    m->softcap = 0;
    return HEED_OK;
}

/* Through float32, as references do it; rint() goes to the even neighbour. */
double heedi_rounded(double x, int digits)
{
    int e;
    const double m = frexp((double)(float)x, &e);
    return ldexp(rint(ldexp(m, digits)), e - digits);
}

heed_status heedi_even_heads(heed_model *m)
{
    int64_t *d = m->dim;
    if (d['C'] % d['H'] != 0)
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: width %lld is no multiple of %lld heads",
                          m->info.path, (long long)d['C'], (long long)d['H']);
    d['K'] = d['H'];
    d['D'] = d['C'] / d['H'];
    return HEED_OK;
}

heed_status heedi_grouped_heads(heed_model *m)
{
    int64_t *d = m->dim;
    if (d['K'] == 0)
        d['K'] = d['H'];
    if (d['D'] == 0 && d['C'] % d['H'] == 0)
        d['D'] = d['C'] / d['H'];
    if (d['D'] >= 2 && d['H'] % d['K'] == 0 && d['D'] % 2 == 0)
        return HEED_OK;
    return heedi_fail(m->ctx, HEED_EFORMAT,
                      "%s: width %lld, %lld heads of %lld and %lld "
                      "key/value heads do not fit together",
                      m->info.path, (long long)d['C'], (long long)d['H'],
                      (long long)d['D'], (long long)d['K']);
}

heed_status heedi_turning(heed_model *m, int64_t *rot)
{
    const double d = (double)m->dim['D'];
    double n, value_dim;
    HEEDI_TRY(heedi_key_number(m, "", "rope.dimension_count", d, 2, d, &n));
    HEEDI_TRY(heedi_key_number(m, "", "attention.value_length", d, 1, 1e6,
                               &value_dim));
    *rot = (int64_t)n;
    if (value_dim == d)
        return HEED_OK;
    return heedi_fail(m->ctx, HEED_ENOTSUP,
                      "%s: values of another size (%g) than keys (%g)",
                      m->info.path, value_dim, d);
}

static const double MOST = 1e9; /* of any single dimension */

static heed_status read_dims(heed_model *m)
{
    for (const heedi_key *k = m->family->keys; k->letter; k++)
        HEEDI_TRY(heedi_key_whole(
            m, k->hf, k->gguf, k->def < 0 ? (double)NAN : (double)k->def,
            k->def == 0 ? 0 : 1, MOST, &m->dim[(int)k->letter]));
    return HEED_OK;
}

heed_status heedi_vocabulary_of(heed_model *m, int64_t def)
{
    heedi_value v = {.kind = HEEDI_ABSENT};
    const heedi_tensor *t = NULL;
    if (m->gguf) {
        v = heedi_config(m->ckpt, "tokenizer.ggml.tokens");
        t = heedi_checkpoint_tensor(m->ckpt, "token_embd.weight");
    }
    m->dim['V'] = v.kind == HEEDI_LIST ? v.n
                  : t && t->nd == 2    ? t->dim[0]
                  : m->gguf            ? 0
                                       : def;
    return m->dim['V'] > 0
               ? HEED_OK
               : heedi_fail(m->ctx, HEED_EFORMAT,
                            "%s: no size of the vocabulary", m->info.path);
}

heed_status heedi_choose_head(heed_model *m, const heedi_weight *embedding,
                              const heedi_weight *head, bool tied)
{
    if (!tied && !head)
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: the tensor of the head is missing, and the "
                          "configuration does not tie it to the embedding",
                          m->info.path);
    if (tied && head)
        heedi_warn(m->ctx,
                   "%s: the head is tied to the embedding: %s is not used",
                   m->info.path, head->name);
    m->head = tied ? *embedding : *head;
    m->info.tied = tied;
    return HEED_OK;
}

/* ---- loading ---- */

static bool of_type(const heedi_family *f, const heed_model *m)
{
    if (m->gguf)
        return strcmp(m->ckpt->arch, f->info.gguf) == 0;
    return strcmp(m->ckpt->arch, f->info.name) == 0 ||
           (f->part && strcmp(m->ckpt->arch, f->part) == 0);
}

static const heedi_family *family_of(const heed_model *m)
{
    const heedi_family *rest = NULL;
    for (const heedi_family *const *f = heedi_families; *f; f++) {
        if (!of_type(*f, m))
            continue;
        if (!m->gguf || !(*f)->gguf_if) {
            rest = *f;
            continue;
        }
        heedi_value v = heedi_key_value(m, "", (*f)->gguf_if);
        if (v.kind == HEEDI_BOOL && v.i)
            return *f;
    }
    return rest;
}

static const char *base_name(const char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    while (n > 0 && path[n - 1] != '/')
        n--;
    return path + n;
}

static char *copy(heedi_arena *mem, const char *s)
{
    char *c = heedi_arena_alloc(mem, strlen(s) + 1);
    return c ? strcpy(c, s) : NULL;
}

/* "q4_1,q8_0,f32": most bytes first; at most eight kinds. */
static heed_status count_weights(heed_model *m)
{
    enum { MAX = 8 };
    const heedi_dtype *kind[MAX];
    int64_t bytes[MAX] = {0};
    int n = 0;
    for (int64_t i = 0; i < m->ckpt->n_tensors; i++) {
        const heedi_tensor *t = &m->ckpt->tensor[i];
        int64_t numbers = 1;
        int k = 0;
        if (!t->dtype->is_float)
            continue;
        for (int d = 0; d < t->nd; d++)
            numbers *= t->dim[d];
        m->info.n_weights += numbers;
        m->info.weight_bytes += (int64_t)t->bytes;
        while (k < n && kind[k] != t->dtype)
            k++;
        if (k == n && n < MAX)
            kind[n++] = t->dtype;
        if (k < n)
            bytes[k] += (int64_t)t->bytes;
    }
    char text[128] = "";
    for (int i = 0; i < n; i++) {
        int best = 0;
        for (int k = 1; k < n; k++)
            if (bytes[k] > bytes[best])
                best = k;
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%s", used ? "," : "",
                 kind[best]->name);
        bytes[best] = -1;
    }
    m->info.dtype = copy(&m->mem, text);
    return m->info.dtype ? HEED_OK : HEED_ENOMEM;
}

/* "linear theta=10000 ...", or, of several, "global default ...; local ...". */
static const char *rope_text(heed_model *m)
{
    enum { SIZE = HEEDI_MAX_ROPE * (sizeof m->rope->text + 16) };
    if (m->n_rope < 2)
        return m->n_rope == 1 ? m->rope[0].text : "";
    char *text = heedi_arena_alloc(&m->mem, SIZE);
    for (int i = 0, n = 0; text && i < m->n_rope; i++)
        n += snprintf(text + n, (size_t)(SIZE - n), "%s%s %s", i ? "; " : "",
                      m->rope[i].where, m->rope[i].text);
    return text;
}

/* The last part of the path, without ".gguf": what a file calls itself inside
 * is often not what it is known by. */
static heed_status describe(heed_model *m)
{
    char *name = copy(&m->mem, base_name(m->info.path));
    if (!name)
        return HEED_ENOMEM;
    size_t n = strlen(name);
    while (n > 1 && name[n - 1] == '/')
        name[--n] = '\0';
    if (n > 5 && strcmp(name + n - 5, ".gguf") == 0)
        name[n - 5] = '\0';
    m->info.name = name;
    m->info.family = &m->family->info;
    m->info.source = m->ckpt->source;
    m->info.rope = rope_text(m);
    m->info.n_layers = m->dim['L'];
    m->info.width = m->dim['C'];
    m->info.n_heads = m->dim['H'];
    m->info.n_kv_heads = m->dim['K'];
    m->info.head_dim = m->dim['D'];
    m->info.ff = m->dim['F'];
    m->info.vocab = m->dim['V'];
    m->info.context = m->dim['X'];
    m->info.image_height = m->patch.image_h;
    m->info.image_width = m->patch.image_w;
    m->info.image_channels = m->patch.channels;
    m->info.patch_height = m->patch.height;
    m->info.patch_width = m->patch.width;
    m->info.n_segments = m->dim['S'];
    m->info.pooling = m->info.pooling ? m->info.pooling : "";
    return m->info.rope ? count_weights(m) : HEED_ENOMEM;
}

static heed_status enter_part(heed_model *m)
{
    const heedi_family *f = m->family;
    m->part = !m->gguf && f->part && strcmp(m->ckpt->arch, f->part) != 0;
    if (!m->part)
        return HEED_OK;
    HEEDI_TRY(heedi_config_enter(m->ckpt, "text_config"));
    heedi_warn(m->ctx, "%s: of a '%s' model only the text part is used",
               m->info.path, m->ckpt->arch);
    return HEED_OK;
}

/* Only GGUF files say of each tensor how it is quantised. */
static heed_status not_quantised(heed_model *m)
{
    heedi_value v = heedi_key_value(m, "quantization_config", "");
    heedi_value how =
        heedi_key_value(m, "quantization_config.quant_method", "");
    if (v.kind == HEEDI_ABSENT || v.kind == HEEDI_NULL)
        return HEED_OK;
    return heedi_fail(m->ctx, HEED_ENOTSUP,
                      "%s: quantization_config: weights quantised as '%s' are "
                      "not supported",
                      m->info.path, how.kind == HEEDI_STR ? how.s : "(unsaid)");
}

static heed_status load(heed_model *m)
{
    HEEDI_TRY(heedi_checkpoint_open(&m->ckpt, m->ctx, m->info.path));
    m->gguf = strcmp(m->ckpt->source, "gguf") == 0;
    m->family = family_of(m);
    if (!m->family)
        return heedi_fail(m->ctx, HEED_ENOTSUP,
                          "%s: models of type '%s' are not supported; see "
                          "'heed models'",
                          m->info.path, m->ckpt->arch);
    m->impl = heedi_arena_alloc(&m->mem, m->family->size);
    if (!m->impl)
        return HEED_ENOMEM;
    HEEDI_TRY(not_quantised(m));
    HEEDI_TRY(enter_part(m));
    HEEDI_TRY(read_dims(m));
    HEEDI_TRY(m->family->configure(m));
    HEEDI_TRY(heedi_params_read(m));
    HEEDI_TRY(m->family->finish(m));
    return describe(m);
}

heed_status heed_model_load(heed_model **out, heed_ctx *ctx, const char *path)
{
    heedi_begin(ctx);
    *out = NULL;
    heed_model *m = heedi_alloc(ctx, sizeof *m);
    if (!m)
        return HEED_ENOMEM;
    m->ctx = ctx;
    heedi_arena_init(&m->mem, ctx);
    m->info.path = copy(&m->mem, path);
    heed_status st = m->info.path ? load(m) : HEED_ENOMEM;
    if (st != HEED_OK) {
        heed_model_free(m);
        return st;
    }
    *out = m;
    return HEED_OK;
}

void heed_model_free(heed_model *m)
{
    if (!m)
        return;
    heedi_checkpoint_close(m->ckpt);
    heedi_arena_clear(&m->mem);
    heedi_free(m->ctx, m);
}
