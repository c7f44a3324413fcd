/* bytelevel.c - ByteLevel: bytes written as printable characters. */
#include <string.h>

#include "ctx.h"
#include "fields.h"
#include "utf8.h"

const char heedi_gpt2_pattern[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+"
    "|\\s+(?!\\S)|\\s+";

/* trim_offsets is read and not used: ranges keep their leading space. */
heed_status heedi_byte_level_read(heed_tokenizer *t, heedi_step *s,
                                  const json_t *j)
{
    bool space = true, trim;
    s->cut = true;
    HEEDI_TRY(
        heedi_field_bool(t->ctx, j, "ByteLevel", "add_prefix_space", &space));
    HEEDI_TRY(heedi_field_bool(t->ctx, j, "ByteLevel", "use_regex", &s->cut));
    HEEDI_TRY(heedi_field_bool(t->ctx, j, "ByteLevel", "trim_offsets", &trim));
    s->prefix = space ? HEEDI_PREPEND_ALWAYS : HEEDI_PREPEND_NEVER;
    return s->cut ? heedi_regex_new(&s->re, t->ctx, heedi_gpt2_pattern,
                                    strlen(heedi_gpt2_pattern))
                  : HEED_OK;
}

static void written(heedi_work *w)
{
    heedi_rope old = w->text;
    w->text = w->next;
    w->next = old;
}

static heed_status add_spaces(heedi_work *w)
{
    heedi_rope_clear(&w->next);
    for (size_t i = 0; i < w->piece.n; i++) {
        heedi_piece *p = w->piece.v + i;
        size_t start = w->next.n;
        uint32_t at = heedi_rope_at(&w->text, p->start).start;
        if (w->text.s[p->start] != ' ')
            HEEDI_TRY(
                heedi_rope_put(&w->next, w->ctx, " ", 1, (heedi_span){at, at}));
        HEEDI_TRY(
            heedi_rope_copy(&w->next, w->ctx, &w->text, p->start, p->end));
        *p = (heedi_piece){(uint32_t)start, (uint32_t)w->next.n};
    }
    written(w);
    return HEED_OK;
}

static heed_status map_bytes(heedi_work *w)
{
    heedi_rope_clear(&w->next);
    for (size_t i = 0; i < w->piece.n; i++) {
        heedi_piece *p = w->piece.v + i;
        size_t start = w->next.n;
        for (size_t k = p->start; k < p->end; k++) {
            char s[4];
            size_t n = heedi_utf8_put(
                s, heedi_byte_to_char((unsigned char)w->text.s[k]));
            HEEDI_TRY(heedi_rope_put(&w->next, w->ctx, s, n,
                                     heedi_rope_at(&w->text, k)));
        }
        *p = (heedi_piece){(uint32_t)start, (uint32_t)w->next.n};
    }
    written(w);
    return HEED_OK;
}

heed_status heedi_byte_level_cut(heedi_work *w, const heedi_step *s)
{
    const heedi_steps *all = &w->t->pre;
    bool last = s == all->v + all->n - 1;
    if (s->prefix != HEEDI_PREPEND_NEVER)
        HEEDI_TRY(add_spaces(w));
    if (s->cut)
        HEEDI_TRY(heedi_cut_regex(w, s));
    return last && w->t->model.byte_mode ? HEED_OK : map_bytes(w);
}

/* A token with a character that stands for no byte is taken as it is; so are
 * added tokens, which are never mapped when encoding. */
heed_status heedi_byte_level_decode(heedi_decoded *d, const heedi_step *s)
{
    (void)s;
    for (size_t k = 0, from = 0; k < d->items; from = d->item[k++]) {
        size_t to = d->item[k], len;
        bool mapped = true;
        for (size_t i = from; mapped && i < to; i += len) {
            uint32_t c = heedi_utf8_get(d->s + i, to - i, &len);
            int32_t id = d->id[d->owner[i]];
            mapped =
                heedi_char_to_byte(c) >= 0 && !(d->t->flag[id] & HEEDI_ADDED);
        }
        for (size_t i = from; i < to; i += len) {
            uint32_t c = heedi_utf8_get(d->s + i, to - i, &len);
            char b = (char)heedi_char_to_byte(c);
            HEEDI_TRY(heedi_decoded_put(d, mapped ? &b : d->s + i,
                                        mapped ? 1 : len, d->owner[i]));
        }
        if (d->alone || k + 1 == d->items)
            HEEDI_TRY(heedi_decoded_end(d));
    }
    heedi_decoded_swap(d);
    return HEED_OK;
}
