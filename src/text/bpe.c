/* bpe.c - byte-pair encoding with ranked merges. */
#include <string.h>

#include "ctx.h"
#include "tokenizer.h"
#include "utf8.h"

static uint32_t ranked(const void *model, const char *s, const heedi_symbol *l,
                       const heedi_symbol *r, int32_t *merged)
{
    const heedi_model *m = model;
    (void)s;
    uint64_t key = (uint64_t)(uint32_t)l->id << 32 | (uint32_t)r->id;
    uint32_t rank = heedi_map_get(&m->merges, key);
    if (rank != UINT32_MAX)
        *merged = m->merged[rank];
    return rank;
}

/* Bytes of w->text as the vocabulary writes them, into w->mapped. */
static heed_status map_piece(heedi_work *w, const char *s, size_t n,
                             size_t *len)
{
    char *p = heedi_grow(w->ctx, w->mapped, &w->mapped_cap, 2 * n, 1);
    if (!p)
        return HEED_ENOMEM;
    w->mapped = p;
    *len = 0;
    for (size_t i = 0; i < n; i++)
        *len +=
            heedi_utf8_put(p + *len, heedi_byte_to_char((unsigned char)s[i]));
    return HEED_OK;
}

static heed_status whole(heedi_work *w, size_t from, size_t to, int32_t *id)
{
    const heedi_model *m = &w->t->model;
    const char *s = w->text.s + from;
    size_t len = to - from;
    if (m->byte_mode) {
        HEEDI_TRY(map_piece(w, s, len, &len));
        s = w->mapped;
    }
    *id = heedi_names_get(&m->names, s, len);
    return HEED_OK;
}

/* The token of one character, which carries the prefix unless it is the first
 * and the suffix if it is the last; *s and *n become what was looked up. */
static heed_status affixed(heedi_work *w, const char **s, size_t *n, bool first,
                           bool last)
{
    const heedi_model *m = &w->t->model;
    size_t before = first ? 0 : m->prefix.len, after = last ? m->suffix.len : 0;
    if (before + after == 0)
        return HEED_OK;
    char *p =
        heedi_grow(w->ctx, w->mapped, &w->mapped_cap, before + *n + after, 1);
    if (!p)
        return HEED_ENOMEM;
    w->mapped = p;
    if (before)
        memcpy(p, m->prefix.s, before);
    memcpy(p + before, *s, *n);
    if (after)
        memcpy(p + before + *n, m->suffix.s, after);
    *s = p;
    *n += before + after;
    return HEED_OK;
}

static bool has_bytes(const heedi_model *m, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (m->byte_id[(unsigned char)s[i]] < 0)
            return false;
    return m->byte_fallback;
}

/* Byte tokens for a character [i, i + len) that is looked up as key; what
 * prefix and suffix add falls on its first and last byte. */
static heed_status add_bytes(heedi_work *w, size_t i, size_t len,
                             const char *key, size_t n, size_t before)
{
    for (size_t k = 0; k < n; k++) {
        size_t at = k < before ? 0 : k - before;
        at = at < len ? at : len - 1;
        HEEDI_TRY(heedi_merger_add(&w->merger, w->ctx, (uint32_t)(i + at),
                                   (uint32_t)(i + at + 1),
                                   w->t->model.byte_id[(unsigned char)key[k]]));
    }
    return HEED_OK;
}

/* An unknown character: the unknown token, one for a run if fuse_unk; without
 * an unknown token it is dropped. */
static heed_status add_unknown(heedi_work *w, size_t i, size_t len, bool run)
{
    const heedi_model *m = &w->t->model;
    if (m->unk < 0) {
        w->dropped += (int64_t)len;
        return HEED_OK;
    }
    if (run && m->fuse_unk) {
        w->merger.symbol[w->merger.n - 1].end = (uint32_t)(i + len);
        return HEED_OK;
    }
    return heedi_merger_add(&w->merger, w->ctx, (uint32_t)i,
                            (uint32_t)(i + len), m->unk);
}

/* Merge the symbols that there are, and make them tokens. */
static heed_status finish(heedi_work *w)
{
    heedi_merger *g = &w->merger;
    HEEDI_TRY(heedi_merger_run(g, w->ctx, ranked, &w->t->model, w->text.s));
    for (int32_t i = g->n ? 0 : -1; i >= 0; i = g->symbol[i].next) {
        const heedi_symbol *y = g->symbol + i;
        HEEDI_TRY(heedi_hit_add(
            w, y->id, heedi_rope_span(&w->text, y->start, y->end), false));
    }
    g->n = 0;
    return HEED_OK;
}

static heed_status seed_chars(heedi_work *w, size_t from, size_t to)
{
    const heedi_model *m = &w->t->model;
    bool run = false;
    bool before_known = false;
    uint32_t before_c = 0;
    for (size_t i = from, len; i < to; i += len) {
        uint32_t c = heedi_utf8_get(w->text.s + i, to - i, &len);
        const char *key = w->text.s + i;
        size_t n = len, before = i == from ? 0 : m->prefix.len;
        HEEDI_TRY(affixed(w, &key, &n, i == from, i + len == to));
        int32_t id = heedi_names_get(&m->names, key, n);
        bool known = id >= 0;
        /* between two known characters only: unknown ones may be fused */
        if (known && before_known && heedi_never_meet(m, before_c, c))
            HEEDI_TRY(finish(w));
        before_known = known;
        before_c = c;
        if (known)
            HEEDI_TRY(heedi_merger_add(&w->merger, w->ctx, (uint32_t)i,
                                       (uint32_t)(i + len), id));
        else if ((known = has_bytes(m, key, n)))
            HEEDI_TRY(add_bytes(w, i, len, key, n, before));
        else
            HEEDI_TRY(add_unknown(w, i, len, run));
        run = !known;
    }
    return HEED_OK;
}

static heed_status seed_bytes(heedi_work *w, size_t from, size_t to)
{
    bool run = false;
    for (size_t i = from; i < to; i++) {
        int32_t id = w->t->model.byte_id[(unsigned char)w->text.s[i]];
        if (id >= 0)
            HEEDI_TRY(heedi_merger_add(&w->merger, w->ctx, (uint32_t)i,
                                       (uint32_t)i + 1, id));
        else
            HEEDI_TRY(add_unknown(w, i, 1, run));
        run = id < 0;
    }
    return HEED_OK;
}

static heed_status encode(heedi_work *w, size_t from, size_t to)
{
    const heedi_model *m = &w->t->model;
    if (m->ignore_merges) {
        int32_t id;
        HEEDI_TRY(whole(w, from, to, &id));
        if (id >= 0)
            return heedi_hit_add(w, id, heedi_rope_span(&w->text, from, to),
                                 false);
    }
    w->merger.n = 0;
    HEEDI_TRY(m->byte_mode ? seed_bytes(w, from, to) : seed_chars(w, from, to));
    return finish(w);
}

const heedi_model_kind heedi_bpe = {"BPE", encode};

heed_status heedi_bpe_room(heed_tokenizer *t, size_t n_merges)
{
    heedi_model *m = &t->model;
    m->n_merges = n_merges;
    m->merged = heedi_arena_alloc(&t->arena, n_merges * sizeof *m->merged);
    return m->merged ? HEED_OK : HEED_ENOMEM;
}

static heed_status unknown_merge(heed_tokenizer *t, size_t rank, heedi_str s)
{
    return heedi_fail(t->ctx, HEED_EFORMAT,
                      "merge %zu needs the token \"%.*s\", which is not in the "
                      "vocabulary",
                      rank, (int)(s.len < 60 ? s.len : 60), s.s);
}

heed_status heedi_bpe_merge(heed_tokenizer *t, size_t rank, heedi_str left,
                            heedi_str right)
{
    heedi_model *m = &t->model;
    char buf[256], *both = buf;
    size_t cut = m->prefix.len < right.len ? m->prefix.len : right.len;
    size_t n = left.len + right.len - cut;
    int32_t a = heedi_names_get(&m->names, left.s, left.len);
    int32_t b = heedi_names_get(&m->names, right.s, right.len);
    if (a < 0 || b < 0)
        return unknown_merge(t, rank, a < 0 ? left : right);
    if (n > sizeof buf && !(both = heedi_alloc(t->ctx, n)))
        return HEED_ENOMEM;
    memcpy(both, left.s, left.len);
    memcpy(both + left.len, right.s + cut, right.len - cut);
    int32_t id = heedi_names_get(&m->names, both, n);
    heed_status st = HEED_OK;
    if (id < 0)
        st = unknown_merge(t, rank, (heedi_str){both, n});
    if (both != buf)
        heedi_free(t->ctx, both);
    HEEDI_TRY(st);
    m->merged[rank] = id;
    return heedi_map_put(&m->merges, t->ctx,
                         (uint64_t)(uint32_t)a << 32 | (uint32_t)b,
                         (uint32_t)rank);
}

/* The last step of almost every byte-level tokenizer writes each byte as a
 * character, only for those to be looked up: bytes are looked up instead. */
heed_status heedi_bpe_finish(heed_tokenizer *t)
{
    heedi_model *m = &t->model;
    bool bytes = t->pre.n > 0 &&
                 t->pre.v[t->pre.n - 1].part->run == heedi_byte_level_cut &&
                 !m->byte_fallback && !m->prefix.len && !m->suffix.len;
    m->byte_mode = bytes;
    for (int b = 0; b < 256; b++) {
        char s[8];
        size_t n;
        if (bytes) {
            n = heedi_utf8_put(s, heedi_byte_to_char((unsigned char)b));
        } else {
            static const char hex[] = "0123456789ABCDEF";
            memcpy(s, "<0x  >", 6);
            s[3] = hex[b >> 4];
            s[4] = hex[b & 15];
            n = 6;
        }
        m->byte_id[b] = heedi_names_get(&m->names, s, n);
        if (m->byte_fallback && m->byte_id[b] >= 0)
            t->flag[m->byte_id[b]] |= HEEDI_BYTE;
    }
    bool affixes = m->prefix.len || m->suffix.len;
    return bytes || affixes ? HEED_OK : heedi_meet_build(t);
}
