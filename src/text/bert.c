/* bert.c - the parts that only BERT's tokenizers have: BertNormalizer,
 * BertPreTokenizer, and the decoder WordPiece. */
#include <string.h>
#include <utf8proc.h>

#include "ctx.h"
#include "fields.h"
#include "utf8.h"

/* ---- BertNormalizer ---- */

heed_status heedi_bert_normalizer_read(heed_tokenizer *t, heedi_step *s,
                                       const json_t *j)
{
    const char *where = "BertNormalizer";
    s->clean = s->ideographs = s->lower = true;
    HEEDI_TRY(heedi_field_bool(t->ctx, j, where, "clean_text", &s->clean));
    HEEDI_TRY(heedi_field_bool(t->ctx, j, where, "handle_chinese_chars",
                               &s->ideographs));
    HEEDI_TRY(heedi_field_bool(t->ctx, j, where, "lowercase", &s->lower));
    s->strip = s->lower; /* unless the file says */
    return heedi_field_bool(t->ctx, j, where, "strip_accents", &s->strip);
}

/* Cc, Cf, Co and Cs, but for three characters that are white space. */
static bool is_control(uint32_t c)
{
    utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);
    return c != '\t' && c != '\n' && c != '\r' && k >= UTF8PROC_CATEGORY_CC;
}

/* CJK Unified Ideographs; the fifth extension begins where the original
 * library has it begin. */
static bool is_ideograph(uint32_t c)
{
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
           (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
           (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
           (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

/* Spaces around an ideograph stand for no bytes of the input. */
static heed_status clean(heedi_work *w, const heedi_step *s)
{
    const heedi_rope *r = &w->norm;
    heedi_rope_clear(&w->next);
    for (size_t i = 0, len; i < r->n; i += len) {
        uint32_t c = heedi_utf8_get(r->s + i, r->n - i, &len);
        heedi_span at = heedi_rope_span(r, i, i + len);
        if (s->clean && (c == 0 || c == 0xFFFD || is_control(c)))
            continue;
        bool cut = s->ideographs && is_ideograph(c);
        if (cut)
            HEEDI_TRY(heedi_rope_put(&w->next, w->ctx, " ", 1,
                                     (heedi_span){at.start, at.start}));
        if (s->clean && heedi_is_space(c))
            HEEDI_TRY(heedi_rope_put(&w->next, w->ctx, " ", 1, at));
        else
            HEEDI_TRY(heedi_rope_copy(&w->next, w->ctx, r, i, i + len));
        if (cut)
            HEEDI_TRY(heedi_rope_put(&w->next, w->ctx, " ", 1,
                                     (heedi_span){at.end, at.end}));
    }
    return heedi_normalized(w);
}

/* NFD without Mn. Accents go before the others are put in order: what is left
 * then keeps the range of its own character. */
static heed_status strip_accents(heedi_work *w)
{
    enum { MOST = 32 };
    const heedi_step nfd = {.form = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE};
    const heedi_rope *r = &w->norm;
    heedi_rope_clear(&w->next);
    for (size_t i = 0, len; i < r->n; i += len) {
        utf8proc_int32_t out[MOST];
        int bound = UTF8PROC_BOUNDCLASS_START;
        uint32_t c = heedi_utf8_get(r->s + i, r->n - i, &len);
        utf8proc_ssize_t n = utf8proc_decompose_char(
            (utf8proc_int32_t)c, out, MOST, UTF8PROC_DECOMPOSE, &bound);
        for (utf8proc_ssize_t k = 0; k < n && k < MOST; k++) {
            char buf[8];
            size_t size = heedi_utf8_put(buf, (uint32_t)out[k]);
            if (utf8proc_category(out[k]) != UTF8PROC_CATEGORY_MN)
                HEEDI_TRY(heedi_rope_put(&w->next, w->ctx, buf, size,
                                         heedi_rope_span(r, i, i + len)));
        }
    }
    HEEDI_TRY(heedi_normalized(w));
    return heedi_unicode_form(w, &nfd);
}

heed_status heedi_bert_normalize(heedi_work *w, const heedi_step *s)
{
    if (s->clean || s->ideographs)
        HEEDI_TRY(clean(w, s));
    if (s->strip)
        HEEDI_TRY(strip_accents(w));
    return s->lower ? heedi_lowercase(w, s) : HEED_OK;
}

/* ---- BertPreTokenizer ---- */

/* White space goes; then every punctuation character is a piece. */
heed_status heedi_bert_cut(heedi_work *w, const heedi_step *s)
{
    const heedi_step white = {.is = heedi_is_space, .behavior = HEEDI_REMOVED};
    const heedi_step punct = {.is = heedi_is_punct, .behavior = HEEDI_ISOLATED};
    (void)s;
    HEEDI_TRY(heedi_cut_chars(w, &white));
    return heedi_cut_chars(w, &punct);
}

/* ---- the decoder ---- */

heed_status heedi_wordpiece_decoder_read(heed_tokenizer *t, heedi_step *s,
                                         const json_t *j)
{
    s->what = (heedi_str){"##", 2};
    s->clean = true;
    HEEDI_TRY(heedi_field_bool(t->ctx, j, "WordPiece", "cleanup", &s->clean));
    return heedi_read_str(t, s, j, "prefix", &s->what);
}

/* What `cleanup` makes of the text of one token, in this order. */
static const struct {
    const char *from, *to;
} cleaned[] = {{" .", "."},     {" ?", "?"},           {" !", "!"},
               {" ,", ","},     {" ' ", "'"},          {" n't", "n't"},
               {" 'm", "'m"},   {" do not", " don't"}, {" 's", "'s"},
               {" 've", "'ve"}, {" 're", "'re"}};

static heed_status clean_up(heedi_decoded *d)
{
    for (size_t i = 0; i < sizeof cleaned / sizeof *cleaned; i++) {
        const heedi_step s = {
            .what = {cleaned[i].from, strlen(cleaned[i].from)},
            .with = {cleaned[i].to, strlen(cleaned[i].to)}};
        HEEDI_TRY(heedi_decoded_replace(d, &s));
    }
    return HEED_OK;
}

/* A token with the prefix goes on with the one before, any other is a word of
 * its own. Alone, it is shown as the vocabulary has it: a part is not to be
 * taken for a word. */
heed_status heedi_wordpiece_decode(heedi_decoded *d, const heedi_step *s)
{
    const heedi_str p = s->what;
    if (d->alone)
        return HEED_OK;
    for (size_t k = 0, from = 0; k < d->items; from = d->item[k++]) {
        const size_t to = d->item[k];
        bool part = to - from >= p.len && memcmp(d->s + from, p.s, p.len) == 0;
        if (k > 0 && to > from && !part)
            HEEDI_TRY(heedi_decoded_put(d, " ", 1, d->owner[from]));
        for (size_t i = from + (k > 0 && part ? p.len : 0); i < to; i++)
            HEEDI_TRY(heedi_decoded_put(d, d->s + i, 1, d->owner[i]));
        HEEDI_TRY(heedi_decoded_end(d));
    }
    heedi_decoded_swap(d);
    return s->clean ? clean_up(d) : HEED_OK;
}
