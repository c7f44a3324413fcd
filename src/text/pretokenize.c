/* pretokenize.c - the parts that cut a text into pieces. */
#include <string.h>

#include "ctx.h"
#include "fields.h"
#include "utf8.h"

static heed_status read_split(heed_tokenizer *t, heedi_step *s, const json_t *j)
{
    HEEDI_TRY(heedi_read_behavior(t, s, j));
    HEEDI_TRY(heedi_field_bool(t->ctx, j, "Split", "invert", &s->invert));
    return heedi_read_pattern(t, s, j);
}

static heed_status read_digits(heed_tokenizer *t, heedi_step *s,
                               const json_t *j)
{
    s->is = heedi_is_numeric;
    HEEDI_TRY(
        heedi_field_bool(t->ctx, j, "Digits", "individual_digits", &s->cut));
    s->behavior = s->cut ? HEEDI_ISOLATED : HEEDI_CONTIGUOUS;
    return HEED_OK;
}

static heed_status read_punctuation(heed_tokenizer *t, heedi_step *s,
                                    const json_t *j)
{
    s->is = heedi_is_punct;
    return heedi_read_behavior(t, s, j);
}

static heed_status read_white(heed_tokenizer *t, heedi_step *s, const json_t *j)
{
    (void)t, (void)j;
    s->is = heedi_is_space;
    s->behavior = HEEDI_REMOVED;
    return HEED_OK;
}

/* White space goes; then words are cut from what is no word. */
static heed_status white_and_words(heedi_work *w, const heedi_step *s)
{
    heedi_step words = {.is = heedi_is_word, .behavior = HEEDI_CONTIGUOUS};
    HEEDI_TRY(heedi_cut_chars(w, s));
    return heedi_cut_chars(w, &words);
}

/* Spaces become the replacement, which is also put in front; then each piece
 * begins with one. */
static heed_status metaspace(heedi_work *w, const heedi_step *s)
{
    heedi_rope_clear(&w->next);
    for (size_t i = 0; i < w->piece.n; i++) {
        heedi_piece *p = w->piece.v + i;
        size_t start = w->next.n, gap = p->start, left = p->end - p->start;
        const char *a = w->text.s + p->start;
        bool has = a[0] == ' ' || (left >= s->with.len &&
                                   memcmp(a, s->with.s, s->with.len) == 0);
        uint32_t at = heedi_rope_at(&w->text, p->start).start;
        if (!has && (s->prefix == HEEDI_PREPEND_ALWAYS ||
                     (s->prefix == HEEDI_PREPEND_FIRST && i == 0 && w->first)))
            HEEDI_TRY(heedi_rope_put(&w->next, w->ctx, s->with.s, s->with.len,
                                     (heedi_span){at, at}));
        for (size_t k = p->start; k < p->end; k++) {
            if (w->text.s[k] != ' ')
                continue;
            HEEDI_TRY(heedi_rope_copy(&w->next, w->ctx, &w->text, gap, k));
            HEEDI_TRY(heedi_rope_put(&w->next, w->ctx, s->with.s, s->with.len,
                                     heedi_rope_at(&w->text, k)));
            gap = k + 1;
        }
        HEEDI_TRY(heedi_rope_copy(&w->next, w->ctx, &w->text, gap, p->end));
        *p = (heedi_piece){(uint32_t)start, (uint32_t)w->next.n};
    }
    heedi_rope old = w->text;
    w->text = w->next;
    w->next = old;
    heedi_step cut = {.what = s->with, .behavior = HEEDI_WITH_NEXT};
    return s->cut ? heedi_cut_regex(w, &cut) : HEED_OK;
}

const heedi_part heedi_pre_tokenizers[] = {
    {"ByteLevel", "add_prefix_space use_regex trim_offsets",
     heedi_byte_level_read, heedi_byte_level_cut, NULL},
    {"Split", "pattern behavior invert", read_split, heedi_cut_regex, NULL},
    {"Digits", "individual_digits", read_digits, heedi_cut_chars, NULL},
    {"Punctuation", "behavior", read_punctuation, heedi_cut_chars, NULL},
    {"Whitespace", "", read_white, white_and_words, NULL},
    {"WhitespaceSplit", "", read_white, heedi_cut_chars, NULL},
    {"Metaspace", "replacement add_prefix_space prepend_scheme split str_rep",
     heedi_read_metaspace, metaspace, NULL},
    {"BertPreTokenizer", "", NULL, heedi_bert_cut, NULL},
    {0},
};
