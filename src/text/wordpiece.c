/* wordpiece.c - the model "WordPiece": the longest entry from the left, again
 * and again; a word with a part that is no entry is the unknown token. */
#include <string.h>

#include "ctx.h"
#include "fields.h"
#include "utf8.h"

static heed_status encode(heedi_work *w, size_t from, size_t to)
{
    const heedi_model *m = &w->t->model;
    const char *s = w->text.s;
    const size_t before = w->n_hits;
    int32_t chars = 0;
    size_t len;
    for (size_t i = from; i < to && chars <= m->max_chars; i += len, chars++)
        heedi_utf8_get(s + i, to - i, &len);
    for (size_t i = from; i < to && chars <= m->max_chars; i += len) {
        int32_t id = heedi_trie_longest(i == from ? &m->begin : &m->go_on,
                                        s + i, to - i, &len);
        if (id < 0)
            break;
        HEEDI_TRY(
            heedi_hit_add(w, id, heedi_rope_span(&w->text, i, i + len), false));
        if (i + len == to)
            return HEED_OK;
    }
    w->n_hits = before;
    return heedi_hit_add(w, m->unk, heedi_rope_span(&w->text, from, to), false);
}

const heedi_model_kind heedi_wordpiece = {"WordPiece", encode};

/* Every entry may begin a word; one with the prefix may continue it. */
static heed_status tries(heed_tokenizer *t)
{
    heedi_model *m = &t->model;
    const size_t n = m->prefix.len;
    for (int32_t id = 0; id < t->info.n_tokens; id++) {
        const heedi_str *s = &t->str[id];
        if (!(t->flag[id] & HEEDI_IN_MODEL) || s->len == 0)
            continue;
        HEEDI_TRY(heedi_trie_add(&m->begin, t->ctx, s->s, s->len, id));
        if (s->len > n && memcmp(s->s, m->prefix.s, n) == 0)
            HEEDI_TRY(
                heedi_trie_add(&m->go_on, t->ctx, s->s + n, s->len - n, id));
    }
    return HEED_OK;
}

heed_status heedi_wordpiece_finish(heed_tokenizer *t, int32_t unk)
{
    heedi_model *m = &t->model;
    if (unk < 0)
        return heedi_fail(t->ctx, HEED_EFORMAT,
                          "model: the unk_token is not in the vocabulary");
    m->kind = &heedi_wordpiece;
    t->info.kind = heedi_wordpiece.name;
    m->unk = unk;
    return tries(t);
}

heed_status heedi_wordpiece_read(heed_tokenizer *t, const json_t *j)
{
    heedi_model *m = &t->model;
    heedi_str unk = {"[UNK]", 5}, prefix = {"##", 2};
    m->max_chars = 100;
    HEEDI_TRY(heedi_field_fields(t->ctx, j, "model",
                                 "unk_token continuing_subword_prefix "
                                 "max_input_chars_per_word vocab"));
    HEEDI_TRY(heedi_field_str(t->ctx, j, "model", "unk_token", &unk));
    HEEDI_TRY(heedi_field_str(t->ctx, j, "model", "continuing_subword_prefix",
                              &prefix));
    HEEDI_TRY(heedi_field_int(t->ctx, j, "model", "max_input_chars_per_word",
                              &m->max_chars));
    if (m->max_chars == INT32_MAX)
        m->max_chars--;
    HEEDI_TRY(heedi_str_copy(t, &m->prefix, prefix.s, prefix.len));
    return heedi_wordpiece_finish(t,
                                  heedi_names_get(&m->names, unk.s, unk.len));
}
