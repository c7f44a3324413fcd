#include "check.h"
#include "ctx.h"
#include "patches.h"

#include <stdio.h>
#include <string.h>

/* Other inputs made of the one that is checked. */

static int64_t rows_of(const heedi_check_input *in)
{
    int64_t n = 0;
    for (int64_t s = 0; s < in->n_seq; s++)
        n += in->len[s];
    return n;
}

/* An input that is filled row after row. */
typedef struct copy {
    const heedi_check_input *from;
    heedi_check_input *to;
    int64_t *len;
    int32_t *id;
    uint8_t *segment;
    heed_real *pixels;
    int64_t cols, row;
} copy;

static heed_status begin(copy *c, const heedi_check *k, heedi_arena *mem,
                         int64_t n_seq, int64_t rows, heedi_check_input *to)
{
    const heedi_check_input *in = &k->in;
    const size_t n = (size_t)rows;
    *c = (copy){.from = in, .to = to, .cols = heedi_leaf_cols(k->m)};
    *to = (heedi_check_input){.n_seq = 0};
    c->len = heedi_arena_alloc(mem, (size_t)n_seq * sizeof *c->len);
    c->id = heedi_arena_alloc(mem, n * sizeof *c->id);
    if (in->segment)
        c->segment = heedi_arena_alloc(mem, n);
    if (in->pixels)
        c->pixels =
            heedi_arena_alloc(mem, n * (size_t)c->cols * sizeof *c->pixels);
    if (!c->len || !c->id || (in->segment && !c->segment) ||
        (in->pixels && !c->pixels))
        return HEED_ENOMEM;
    to->len = c->len;
    to->id = c->id;
    to->segment = c->segment;
    to->pixels = c->pixels;
    return HEED_OK;
}

/* A sequence of n rows, from `row` on; values of a picture times `factor`. */
static void add(copy *c, int64_t row, int64_t n, double factor)
{
    const heedi_check_input *in = c->from;
    memcpy(c->id + c->row, in->id + row, (size_t)n * sizeof *c->id);
    if (c->segment)
        memcpy(c->segment + c->row, in->segment + row, (size_t)n);
    for (int64_t i = 0; c->pixels && i < n * c->cols; i++)
        c->pixels[c->row * c->cols + i] =
            (heed_real)factor * in->pixels[row * c->cols + i];
    c->len[c->to->n_seq++] = n;
    c->row += n;
}

heed_status heedi_check_cut(const heedi_check *k, heedi_arena *mem,
                            int64_t most, heedi_check_input *out)
{
    copy c;
    int64_t row = 0;
    HEEDI_TRY(begin(&c, k, mem, k->in.n_seq, rows_of(&k->in), out));
    for (int64_t s = 0; s < k->in.n_seq; row += k->in.len[s++])
        add(&c, row, k->in.len[s] < most ? k->in.len[s] : most, 1);
    return HEED_OK;
}

/* Pictures are all of one size, so the others have other values. */
heed_status heedi_check_between(const heedi_check *k, heedi_arena *mem,
                                heedi_check_input *out)
{
    const heedi_check_input *in = &k->in;
    const bool text = !in->pixels;
    const int64_t n = rows_of(in), first = in->len[0];
    const int64_t last = text ? 1 : n;
    const int64_t half = text ? (first + 1) / 2 : first;
    copy c;
    int64_t row = 0;
    HEEDI_TRY(begin(&c, k, mem, in->n_seq + 2, half + n + last, out));
    add(&c, 0, half, -1);
    for (int64_t s = 0; s < in->n_seq; row += in->len[s++])
        add(&c, row, in->len[s], 1);
    add(&c, n - last, last, 0.5);
    return HEED_OK;
}

heed_status heedi_check_shortened(heedi_check *k, heed_check_row *row)
{
    enum { ROOM = 80 };
    const int64_t all = rows_of(&k->in), some = rows_of(&k->brief);
    if (some == all)
        return HEED_OK;
    char *note = heedi_arena_alloc(&k->r->mem, ROOM);
    if (!note)
        return HEED_ENOMEM;
    snprintf(note, ROOM, "first %lld of %lld tokens", (long long)some,
             (long long)all);
    row->note = note;
    return HEED_OK;
}
