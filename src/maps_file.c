#include "maps.h"

#include <string.h>

#include "ctx.h"

/* Coordinates of a dimension. */
static heed_status coordinates(const heedi_maps *m, const heed_sink *s,
                               const char *name, const int64_t *x, int64_t n)
{
    int32_t *v = heedi_arena_alloc(&m->j->mem, (size_t)n * sizeof *v);
    if (!v)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        v[i] = (int32_t)x[i];
    heed_var var = {.group = "",
                    .name = name,
                    .type = HEED_I32,
                    .nd = 1,
                    .dim = {name},
                    .len = {n}};
    return heed_put(s, m->j->ctx, &var, v);
}

static heed_status texts(const heedi_maps *m, const heed_sink *s,
                         const char *name, const char *dim,
                         const char *const *text, int64_t n)
{
    heed_var var = {.group = "attention",
                    .name = name,
                    .type = HEED_STR,
                    .nd = 1,
                    .dim = {dim},
                    .len = {n}};
    return heed_put(s, m->j->ctx, &var, text);
}

/* Tokens of n positions; at NULL: the first n. */
static heed_status tokens(const heedi_maps *m, const heed_sink *s, int64_t seq,
                          const char *name, const char *dim, const int64_t *at,
                          int64_t n)
{
    const heed_tokens *t = m->j->tokens[seq];
    const char **text = heedi_arena_alloc(&m->j->mem, (size_t)n * sizeof *text);
    if (!text)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        text[i] = t->token[at ? at[i] : i].text;
    return texts(m, s, name, dim, text, n);
}

static const char *kind_of(const heedi_map_layer *l)
{
    return l->softmax ? "softmax" : l->block ? "block" : "core";
}

/* What may differ from layer to layer. */
static heed_status describe(const heedi_maps *m, const heed_sink *s)
{
    static const char *const names[] = {"layer_kind", "layer_mixer", "operand",
                                        "output"};
    const int64_t n = m->n_layers;
    const char **text = heedi_arena_alloc(&m->j->mem, (size_t)n * sizeof *text);
    if (!text)
        return HEED_ENOMEM;
    for (int k = 0; k < 4; k++) {
        for (int64_t i = 0; i < n; i++) {
            const heedi_map_layer *l = &m->layer[i];
            text[i] = k == 0   ? kind_of(l)
                      : k == 1 ? l->mixer
                      : k == 2 ? l->operand
                               : l->output;
        }
        HEEDI_TRY(texts(m, s, names[k], "layer", text, n));
    }
    return HEED_OK;
}

heed_status heedi_maps_begin(const heedi_maps *m, int64_t seq)
{
    const heed_sink *s = &m->j->sink[seq];
    const int64_t zero = 0, t = m->j->len[seq], rows = m->n_rows[seq];
    const bool all = heedi_maps_indexed(m);
    const char *index = all && m->by_channel ? "channel" : "head";
    int64_t *layer =
        heedi_arena_alloc(&m->j->mem, (size_t)m->n_layers * sizeof *layer);
    if (!layer)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < m->n_layers; i++)
        layer[i] = m->layer[i].layer;
    HEEDI_TRY(heedi_report_input(m->j, seq));
    HEEDI_TRY(coordinates(m, s, "layer", layer, m->n_layers));
    HEEDI_TRY(
        coordinates(m, s, index, all ? m->index : &zero, all ? m->n_index : 1));
    if (m->n_without > 0)
        HEEDI_TRY(s->attr(s->ud, m->j->ctx, "attention", "layers_without",
                          (heed_attr){HEED_I64, m->n_without, m->without}));
    if (rows < t)
        HEEDI_TRY(coordinates(m, s, "query", m->row[seq], rows));
    heed_var v = {.group = "attention",
                  .name = "attention",
                  .type = HEED_TYPE_REAL,
                  .nd = 4,
                  .dim = {"layer", index, "query", "key"},
                  .len = {m->n_layers, all ? m->n_index : 1, rows, t},
                  .units = m->how.weighted ? "target" : "1",
                  .long_name =
                      m->how.weighted ? "contributions" : "attention weights"};
    if (m->how.profile)
        HEEDI_TRY(heedi_maps_profile_define(m, seq));
    else
        HEEDI_TRY(s->define(s->ud, m->j->ctx, &v));
    v.nd = 3;
    v.long_name = "what a skip adds";
    v.name = "skip";
    if (heedi_maps_has_rest(m))
        HEEDI_TRY(s->define(s->ud, m->j->ctx, &v));
    v.long_name = "what biases and shifts add";
    v.name = "bias";
    if (heedi_maps_has_rest(m))
        HEEDI_TRY(s->define(s->ud, m->j->ctx, &v));
    HEEDI_TRY(tokens(m, s, seq, "query_token", "query", m->row[seq], rows));
    HEEDI_TRY(tokens(m, s, seq, "key_token", "key", NULL, t));
    return describe(m, s);
}

/* Of all layers, or "mixed" if they differ. */
static const char *direction_of(const heedi_maps *m)
{
    const char *all = m->layer->direction;
    for (int64_t i = 1; i < m->n_layers; i++)
        if (strcmp(m->layer[i].direction, all) != 0)
            return "mixed";
    return all;
}

/* Of a reduction over some: which, and of how many if all layers agree. */
static heed_status put_chosen(const heedi_maps *m, const heed_sink *s)
{
    const heed_attr which = {HEED_I64, m->n_index, m->index};
    if (!m->some || heedi_maps_indexed(m))
        return HEED_OK;
    HEEDI_TRY(s->attr(s->ud, m->j->ctx, "attention", "reduced", which));
    for (int64_t i = 1; i < m->n_layers; i++)
        if (m->layer[i].count != m->layer->count)
            return HEED_OK;
    return heed_put_int(s, m->j->ctx, "attention", "reduced_of",
                        m->layer->count);
}

heed_status heedi_maps_end(const heedi_maps *m, int64_t seq)
{
    const heed_sink *s = &m->j->sink[seq];
    heed_ctx *ctx = m->j->ctx;
    const char *g = "attention";
    static const char *const skip[] = {"separate", "fold", "drop"};
    const struct {
        const char *key, *value;
    } words[] = {
        {"kind", m->mixed ? "mixed" : kind_of(m->layer)},
        {"mixer", m->mixed ? "mixed" : m->layer->mixer},
        {"variant", m->how.raw ? "raw" : "exact"},
        {"skip", skip[m->how.skip]},
        {"direction", direction_of(m)},
        {"index", m->by_channel ? "channel" : "head"},
        {"reduction", m->reduce_name},
        {"normalisation", "none"},
        {"clamp", "none"},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        HEEDI_TRY(heed_put_str(s, ctx, g, words[i].key, words[i].value));
    HEEDI_TRY(heed_put_int(s, ctx, g, "n_reduced",
                           heedi_maps_indexed(m) ? 1 : m->n_index));
    HEEDI_TRY(put_chosen(m, s));
    HEEDI_TRY(heed_put_int(s, ctx, g, "n_checked", m->checked[seq]));
    heed_attr a = {HEED_F64, m->n_layers, m->error + seq * m->n_layers};
    HEEDI_TRY(s->attr(s->ud, ctx, g, "reconstruction_error", a));
    if (m->how.profile)
        HEEDI_TRY(heedi_maps_profile_attr(m, seq));
    return m->rounds ? heedi_report_target(m->j, seq,
                                           heedi_outcome_of(m->rounds, seq))
                     : HEED_OK;
}
