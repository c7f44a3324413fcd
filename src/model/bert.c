#include "ctx.h"
#include "model.h"
#include "pooling.h"

#include <math.h>
#include <string.h>

/* BERT (Devlin et al. 2019): token, type and position embeddings, attention
 * both ways, LayerNorm after each part:
 *     x = LN(x + W_o Attn(x)),  x = LN(x + W_2 f(W_1 x))
 * Instead of position embeddings there may be relative keys (Shaw et al. 2018,
 * Huang et al. 2020): a score is q k + q E[i - j], or k E[i - j] beside it.
 * and one of three heads: labels from tanh of the first row, the token at a
 * mask, or one embedding of the text. */

#define E  "bert.embeddings."
#define B  "bert.encoder.layer.%d."
#define S  B "attention.self."
#define O  B "attention.output."
#define G  "blk.%d."
#define MP "cls.predictions."
#define PARAMS(P)                                                              \
    P(word, E "word_embeddings.weight", "token_embd.weight", "V,C", 0, 0)      \
    P(type, E "token_type_embeddings.weight", "token_types.weight", "S,C", 0,  \
      0)                                                                       \
    P(pos, E "position_embeddings.weight", "position_embd.weight", "X,C", 0,   \
      1)                                                                       \
    P(ln, E "LayerNorm.weight", "token_embd_norm.weight", "C", 0, 0)           \
    P(ln_b, E "LayerNorm.bias", "token_embd_norm.bias", "C", 0, 0)             \
    P(q, S "query.weight", G "attn_q.weight", "C,C", 1, 0)                     \
    P(q_b, S "query.bias", G "attn_q.bias", "C", 1, 0)                         \
    P(k, S "key.weight", G "attn_k.weight", "C,C", 1, 0)                       \
    P(k_b, S "key.bias", G "attn_k.bias", "C", 1, 0)                           \
    P(v, S "value.weight", G "attn_v.weight", "C,C", 1, 0)                     \
    P(v_b, S "value.bias", G "attn_v.bias", "C", 1, 0)                         \
    P(rel, S "distance_embedding.weight", NULL, "Z,D", 1, 1)                   \
    P(o, O "dense.weight", G "attn_output.weight", "C,C", 1, 0)                \
    P(o_b, O "dense.bias", G "attn_output.bias", "C", 1, 0)                    \
    P(ln1, O "LayerNorm.weight", G "attn_output_norm.weight", "C", 1, 0)       \
    P(ln1_b, O "LayerNorm.bias", G "attn_output_norm.bias", "C", 1, 0)         \
    P(fc, B "intermediate.dense.weight", G "ffn_up.weight", "F,C", 1, 0)       \
    P(fc_b, B "intermediate.dense.bias", G "ffn_up.bias", "F", 1, 0)           \
    P(proj, B "output.dense.weight", G "ffn_down.weight", "C,F", 1, 0)         \
    P(proj_b, B "output.dense.bias", G "ffn_down.bias", "C", 1, 0)             \
    P(ln2, B "output.LayerNorm.weight", G "layer_output_norm.weight", "C", 1,  \
      0)                                                                       \
    P(ln2_b, B "output.LayerNorm.bias", G "layer_output_norm.bias", "C", 1, 0) \
    P(pool, "bert.pooler.dense.weight", NULL, "C,C", 0, 1)                     \
    P(pool_b, "bert.pooler.dense.bias", NULL, "C", 0, 1)                       \
    P(cls, "classifier.weight", NULL, "Y,C", 0, 1)                             \
    P(cls_b, "classifier.bias", NULL, "Y", 0, 1)                               \
    P(tr, MP "transform.dense.weight", NULL, "C,C", 0, 1)                      \
    P(tr_b, MP "transform.dense.bias", NULL, "C", 0, 1)                        \
    P(tr_ln, MP "transform.LayerNorm.weight", NULL, "C", 0, 1)                 \
    P(tr_ln_b, MP "transform.LayerNorm.bias", NULL, "C", 0, 1)                 \
    P(dec, MP "decoder.weight", NULL, "V,C", 0, 1)                             \
    P(dec_b, MP "bias", NULL, "V", 0, 1)                                       \
    P(dec_b2, MP "decoder.bias", NULL, "V", 0, 1)
enum { PARAMS(HEEDI_PARAM_INDEX) };
static const heedi_param params[] = {PARAMS(HEEDI_PARAM_ROW){0}};

static const heedi_key keys[] = {
    {'C', "hidden_size", "embedding_length", 768},
    {'L', "num_hidden_layers", "block_count", 12},
    {'H', "num_attention_heads", "attention.head_count", 12},
    {'F', "intermediate_size", "feed_forward_length", 3072},
    {'V', "vocab_size", "vocab_size", 0},
    {'X', "max_position_embeddings", "context_length", 512},
    {'S', "type_vocab_size", "", 2},
    {0},
};

typedef struct layer {
    heedi_layernorm_args ln1, ln2;
    heedi_attention_args attention;
} layer;

typedef struct head head;

/* Where positions come in. */
typedef struct kind_of_positions {
    const char *name;
    bool learned, by_query, by_key;
} kind_of_positions;

static const kind_of_positions positions[] = {
    {"absolute", true, false, false},
    {"relative_key", false, true, false},
    {"relative_key_query", false, true, true}};
enum { N_POSITIONS = sizeof positions / sizeof *positions };

typedef struct bert {
    const head *head;
    heedi_embed_args embed;
    heedi_act_args act, tanh;
    heedi_attention_args attention; /* of every layer, but for its tables */
    const kind_of_positions *positions;
    heedi_layernorm_args ln, transform;
    heedi_pool_args pool;
    double eps;
    bool tied;
    layer *layer;
} bert;

static const heed_real *vector(const heed_model *m, int64_t l, int p)
{
    int64_t n;
    return heedi_vector_of(m, l, p, &n);
}

static heedi_node *linear(const heed_model *m, heedi_tape *t, int64_t l,
                          const char *name, int w, int b, heedi_node *x)
{
    return heedi_linear(t, name, heedi_matrix(m, l, w), vector(m, l, b), x);
}

static heedi_node *norm(const heed_model *m, heedi_tape *t, int64_t l,
                        const char *name, int w,
                        const heedi_layernorm_args *args, heedi_node *x)
{
    heedi_with with = {.name = name, .args = args};
    with.vec = heedi_vector_of(m, l, w, &with.n_vec);
    return heedi_apply(t, &heedi_op_layernorm, with, x);
}

/* ---- heads ---- */

struct head {
    const char *architecture;
    heed_head kind;
    int sign; /* a tensor that is there if the head is; 0: none is needed */
    heed_status (*finish)(heed_model *m);
    heedi_node *(*build)(const heed_model *m, heedi_tape *t, heedi_node *x);
};

static heed_status need(heed_model *m, const int *list, int n)
{
    for (int i = 0; i < n; i++)
        if (!heedi_matrix(m, 0, list[i]))
            return heedi_fail(
                m->ctx, HEED_EFORMAT, "%s: tensor %s is missing", m->info.path,
                m->gguf ? params[list[i]].gguf : params[list[i]].hf);
    return HEED_OK;
}

static heed_status finish_class(heed_model *m)
{
    static const int list[] = {P_pool, P_pool_b, P_cls, P_cls_b};
    HEEDI_TRY(need(m, list, 4));
    m->head = *heedi_matrix(m, 0, P_cls);
    m->head_bias = vector(m, 0, P_cls_b);
    return HEED_OK;
}

static heedi_node *build_class(const heed_model *m, heedi_tape *t,
                               heedi_node *x)
{
    const bert *a = m->impl;
    x = linear(m, t, 0, "pooler", P_pool, P_pool_b, x);
    return heedi_apply(t, &heedi_op_act,
                       ((heedi_with){.name = "pooler.act", .args = &a->tanh}),
                       x);
}

static heed_status finish_masked(heed_model *m)
{
    bert *a = m->impl;
    static const int list[] = {P_tr, P_tr_b, P_tr_ln, P_tr_ln_b};
    HEEDI_TRY(need(m, list, 4));
    a->transform = (heedi_layernorm_args){a->eps, vector(m, 0, P_tr_ln_b)};
    m->head_bias = vector(m, 0, P_dec_b);
    if (!m->head_bias)
        m->head_bias = vector(m, 0, P_dec_b2);
    return heedi_choose_head(m, heedi_matrix(m, 0, P_word),
                             heedi_matrix(m, 0, P_dec), a->tied);
}

static heedi_node *build_masked(const heed_model *m, heedi_tape *t,
                                heedi_node *x)
{
    const bert *a = m->impl;
    x = linear(m, t, 0, "transform", P_tr, P_tr_b, x);
    x = heedi_apply(t, &heedi_op_act,
                    ((heedi_with){.name = "transform.act", .args = &a->act}),
                    x);
    return norm(m, t, 0, "transform.norm", P_tr_ln, &a->transform, x);
}

static heed_status finish_embedding(heed_model *m)
{
    bert *a = m->impl;
    m->head.cols = m->dim['C'];
    return heedi_pooling_read(m, &a->pool);
}

static heedi_node *build_embedding(const heed_model *m, heedi_tape *t,
                                   heedi_node *x)
{
    const bert *a = m->impl;
    return heedi_apply(t, &heedi_op_pool,
                       ((heedi_with){.name = "pool", .args = &a->pool}), x);
}

/* The first of an architecture, or, where none is named, whose tensor is
 * there. */
static const head heads[] = {
    {"BertForSequenceClassification", HEED_HEAD_CLASS, P_cls, finish_class,
     build_class},
    {"BertForMaskedLM", HEED_HEAD_MASKED, P_tr, finish_masked, build_masked},
    {"BertForPreTraining", HEED_HEAD_MASKED, P_tr, finish_masked, build_masked},
    {"BertModel", HEED_HEAD_EMBEDDING, -1, finish_embedding, build_embedding},
};
enum { N_HEADS = sizeof heads / sizeof *heads };

static heed_status choose_by_name(heed_model *m, const char *name)
{
    bert *a = m->impl;
    for (int i = 0; i < N_HEADS && !a->head; i++)
        if (strcmp(heads[i].architecture, name) == 0)
            a->head = &heads[i];
    if (a->head)
        return HEED_OK;
    return heedi_fail(
        m->ctx, HEED_ENOTSUP,
        "%s: the architecture '%.60s' is not supported; of "
        "'bert' models, BertModel, BertForSequenceClassification, "
        "BertForMaskedLM and BertForPreTraining are",
        m->info.path, name);
}

static heed_status choose_head(heed_model *m)
{
    bert *a = m->impl;
    const heedi_value list = heedi_key_value(m, "architectures", "");
    const heedi_value name = heedi_config_item(&list, 0);
    if (name.kind == HEEDI_STR)
        return choose_by_name(m, name.s);
    for (int i = 0; i < N_HEADS && !a->head; i++)
        if (heads[i].sign < 0 ||
            (!m->gguf &&
             heedi_checkpoint_tensor(m->ckpt, params[heads[i].sign].hf)))
            a->head = &heads[i];
    return HEED_OK;
}

/* ---- configuration ---- */

static heed_status refuse(heed_model *m, const char *key, const char *what)
{
    bool on;
    HEEDI_TRY(heedi_key_bool(m, key, false, &on));
    return on ? heedi_fail(m->ctx, HEED_ENOTSUP, "%s: %s: %s not supported",
                           m->info.path, key, what)
              : HEED_OK;
}

static heed_status choose_positions(heed_model *m)
{
    bert *a = m->impl;
    heedi_value v = heedi_key_value(m, "position_embedding_type", "");
    m->dim['Z'] = 2 * m->dim['X'] - 1;
    a->positions = v.kind == HEEDI_STR ? NULL : positions;
    for (int i = 0; i < N_POSITIONS && !a->positions; i++)
        if (strcmp(v.s, positions[i].name) == 0)
            a->positions = &positions[i];
    if (a->positions)
        return HEED_OK;
    return heedi_fail(m->ctx, HEED_ENOTSUP,
                      "%s: position_embedding_type '%.60s' is not supported",
                      m->info.path, v.s);
}

static heed_status configure(heed_model *m)
{
    bert *a = m->impl;
    int64_t *d = m->dim;
    if (d['C'] % d['H'] != 0)
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: width %lld is no multiple of %lld heads",
                          m->info.path, (long long)d['C'], (long long)d['H']);
    d['K'] = d['H'];
    d['D'] = d['C'] / d['H'];
    HEEDI_TRY(heedi_key_number(m, "layer_norm_eps",
                               "attention.layer_norm_epsilon", 1e-12, 0, 1,
                               &a->eps));
    if (m->gguf) {
        const char *types = "tokenizer.ggml.token_type_count";
        const heedi_value v = heedi_config(m->ckpt, types);
        a->eps = heedi_decimal(a->eps);
        if (v.kind == HEEDI_INT && v.i > 0 && v.i < 256)
            d['S'] = v.i;
    }
    HEEDI_TRY(refuse(m, "is_decoder", "BERT as a decoder is"));
    HEEDI_TRY(refuse(m, "add_cross_attention", "cross-attention is"));
    HEEDI_TRY(choose_positions(m));
    HEEDI_TRY(heedi_key_bool(m, "tie_word_embeddings", true, &a->tied));
    HEEDI_TRY(heedi_key_act(m, "hidden_act", "gelu", &a->act.f));
    HEEDI_TRY(choose_head(m));
    m->info.head = a->head->kind;
    HEEDI_TRY(heedi_labels_read(m, &d['Y']));
    if (a->head->kind != HEED_HEAD_CLASS)
        m->info.n_labels = m->info.multi_label = 0;
    a->embed.scale = 1;
    a->tanh.f = heedi_activation_named("tanh");
    a->attention = (heedi_attention_args){.heads = d['H'],
                                          .kv_heads = d['H'],
                                          .head_dim = d['D'],
                                          .scale = 1 / sqrt((double)d['D']),
                                          .bidirectional = true};
    m->fixed_context = m->bidirectional = true;
    return d['V'] > 0 ? HEED_OK : heedi_vocabulary_of(m, 30522);
}

/* The table of a layer, from the last distance i - j to the first: j - i goes
 * up. */
static heed_status distances(heed_model *m, int64_t l, heedi_attention_args *a)
{
    const bert *own = m->impl;
    const heedi_weight *w = heedi_matrix(m, l, P_rel);
    const int64_t d = m->dim['D'], n = m->dim['Z'];
    if (!own->positions->by_query && w)
        heedi_warn(m->ctx, "%s: " S "distance_embedding.weight is not used",
                   m->info.path, (int)l);
    if (!own->positions->by_query)
        return HEED_OK;
    if (!w)
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: tensor " S
                          "distance_embedding.weight is missing",
                          m->info.path, (int)l);
    heed_real *table =
        heedi_arena_alloc(&m->mem, (size_t)(n * d) * sizeof *table);
    if (!table)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        heedi_weight_row(w, n - 1 - i, 0, d, table + i * d);
    a->span = n / 2;
    a->by_query = table;
    a->by_key = own->positions->by_key ? table : NULL;
    return HEED_OK;
}

static heed_status finish(heed_model *m)
{
    static const int learned[] = {P_pos};
    bert *a = m->impl;
    a->ln = (heedi_layernorm_args){a->eps, vector(m, 0, P_ln_b)};
    a->layer =
        heedi_arena_alloc(&m->mem, (size_t)m->dim['L'] * sizeof *a->layer);
    if (!a->layer)
        return HEED_ENOMEM;
    if (a->positions->learned)
        HEEDI_TRY(need(m, learned, 1));
    for (int64_t l = 0; l < m->dim['L']; l++) {
        a->layer[l] = (layer){{a->eps, vector(m, l, P_ln1_b)},
                              {a->eps, vector(m, l, P_ln2_b)},
                              a->attention};
        HEEDI_TRY(distances(m, l, &a->layer[l].attention));
    }
    for (int i = 0; i < N_HEADS; i++)
        if (heads[i].kind != a->head->kind && heads[i].sign >= 0 &&
            (i == 0 || heads[i].sign != heads[i - 1].sign) &&
            heedi_matrix(m, 0, heads[i].sign))
            heedi_warn(m->ctx, "%s: a head '%s' is in the file and not used",
                       m->info.path, heed_head_name(heads[i].kind));
    return a->head->finish(m);
}

/* ---- blocks ---- */

static heedi_node *embeddings(const heed_model *m, heedi_tape *t)
{
    const bert *a = m->impl;
    heedi_node *x = heedi_apply(t, &heedi_op_embed,
                                ((heedi_with){.name = "embed",
                                              .w = heedi_matrix(m, 0, P_word),
                                              .args = &a->embed}),
                                NULL);
    x = heedi_apply(
        t, &heedi_op_segment,
        ((heedi_with){.name = "type", .w = heedi_matrix(m, 0, P_type)}), x);
    if (a->positions->learned)
        x = heedi_apply(
            t, &heedi_op_position,
            ((heedi_with){.name = "position", .w = heedi_matrix(m, 0, P_pos)}),
            x);
    return norm(m, t, 0, "embed.norm", P_ln, &a->ln, x);
}

static heedi_node *block(const heed_model *m, int64_t l, heedi_tape *t,
                         heedi_node *x)
{
    const bert *a = m->impl;
    heedi_node *q = linear(m, t, l, "attn.q", P_q, P_q_b, x);
    heedi_node *k = linear(m, t, l, "attn.k", P_k, P_k_b, x);
    heedi_node *v = linear(m, t, l, "attn.v", P_v, P_v_b, x);
    heedi_node *o = heedi_apply(
        t, &heedi_op_attention,
        ((heedi_with){.name = "attn", .args = &a->layer[l].attention}), q, k,
        v);
    o = linear(m, t, l, "attn.o", P_o, P_o_b, o);
    x = heedi_apply(t, &heedi_op_add, ((heedi_with){.name = "attn.add"}), x, o);
    x = norm(m, t, l, "attn.norm", P_ln1, &a->layer[l].ln1, x);
    o = linear(m, t, l, "mlp.fc", P_fc, P_fc_b, x);
    o = heedi_apply(t, &heedi_op_act,
                    ((heedi_with){.name = "mlp.act", .args = &a->act}), o);
    o = linear(m, t, l, "mlp.proj", P_proj, P_proj_b, o);
    x = heedi_apply(t, &heedi_op_add, ((heedi_with){.name = "mlp.add"}), x, o);
    return norm(m, t, l, "mlp.norm", P_ln2, &a->layer[l].ln2, x);
}

static heedi_node *build(const heed_model *m, int64_t b, heedi_tape *t,
                         heedi_node *x)
{
    const bert *a = m->impl;
    if (b == 0)
        return embeddings(m, t);
    return b <= m->dim['L'] ? block(m, b - 1, t, x) : a->head->build(m, t, x);
}

/* PA-LRP's own code for BERT: attention weights are constant, half is lost. */
static const char *const bertpe[] = {"attn=cp:0.5", NULL};
/* As in the code of its authors, for 12 layers the last one alone. */
static const heedi_preference prefers[] = {
    {"transformer_attribution", "row_norm", "on"},
    {"transformer_attribution", "start_layer", "-1"},
    {0}};

static const heedi_composite composites[] = {{"bertpe", bertpe}, {0}};

static const char *const ignored[] = {"*token_type_ids",
                                      "cls.seq_relationship.*", NULL};

const heedi_family heedi_family_bert = {
    .info = {.name = "bert",
             .gguf = "bert",
             .summary = "BERT: sentence embeddings, labels, masked tokens",
             .method = "attn_lrp"},
    .prefix = "bert.",
    .params = params,
    .keys = keys,
    .gamma_beta = true,
    .ignored = ignored,
    .composites = composites,
    .prefers = prefers,
    .size = sizeof(bert),
    .configure = configure,
    .finish = finish,
    .build = build,
};
