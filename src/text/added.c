/* added.c - tokens that are found in the text before anything else. */
#include <string.h>

#include "ctx.h"
#include "tokenizer.h"
#include "utf8.h"

heed_status heedi_added_build(heed_tokenizer *t)
{
    heed_status st = HEED_OK;
    for (size_t i = 0; i < t->n_added && st == HEED_OK; i++) {
        heedi_added *a = t->added + i;
        if (a->normalized && t->normalizer.n > 0) {
            /* it is looked for in normalised text */
            heedi_work w = {.ctx = t->ctx, .t = t};
            w.norm.s = a->text.s;
            w.norm.n = a->text.len;
            st = heedi_normalize(&w);
            if (st == HEED_OK)
                st = heedi_str_copy(t, &a->text, w.norm.s, w.norm.n);
            heedi_work_free(&w);
        }
        /* what ends within a character would leave the rest of it */
        size_t n = heedi_utf8_check(a->text.s, a->text.len);
        if (st == HEED_OK && n > 0 && n == a->text.len)
            st = heedi_trie_add(a->normalized ? &t->normalized : &t->raw,
                                t->ctx, a->text.s, a->text.len, (int32_t)i);
    }
    return st;
}

/* Where the last character of s[0..n) begins. */
static size_t last_char(const char *s, size_t n)
{
    do
        n--;
    while (n > 0 && ((unsigned char)s[n] & 0xC0) == 0x80);
    return n;
}

static bool word_beside(const char *s, size_t n, size_t start, size_t end)
{
    size_t len;
    if (start > 0) {
        size_t k = last_char(s, start);
        if (heedi_is_word(heedi_utf8_get(s + k, n - k, &len)))
            return true;
    }
    return end < n && heedi_is_word(heedi_utf8_get(s + end, n - end, &len));
}

static size_t space_before(const char *s, size_t start, size_t least)
{
    while (start > least) {
        size_t len, k = last_char(s, start);
        if (k < least ||
            !heedi_is_space(heedi_utf8_get(s + k, start - k, &len)))
            break;
        start = k;
    }
    return start;
}

static size_t space_after(const char *s, size_t n, size_t end)
{
    size_t len;
    while (end < n && heedi_is_space(heedi_utf8_get(s + end, n - end, &len)))
        end += len;
    return end;
}

const heedi_added *heedi_added_next(heedi_work *w, const heedi_trie *trie,
                                    const char *s, size_t n, size_t *from,
                                    size_t taken, size_t *start, size_t *end)
{
    for (size_t i = *from, len; i < n && trie->n > 0; i++) {
        int32_t k = heedi_trie_longest(trie, s + i, n - i, &len);
        if (k < 0 || ((unsigned char)s[i] & 0xC0) == 0x80)
            continue;
        const heedi_added *a = w->t->added + k;
        bool skip = a->special && !w->special;
        if (skip && w->seen_special < 0)
            w->seen_special = a->id;
        if (skip || (a->single_word && word_beside(s, n, i, i + len))) {
            i += len - 1;
            continue;
        }
        *start = a->lstrip ? space_before(s, i, taken) : i;
        *end = a->rstrip ? space_after(s, n, i + len) : i + len;
        *from = *end;
        return a;
    }
    *from = n;
    return NULL;
}
