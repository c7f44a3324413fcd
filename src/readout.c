#include "readout.h"

#include <string.h>

static size_t sum_of(int what, int64_t rows, int64_t slots, int64_t heads,
                     int64_t rot)
{
    int64_t n = 3 * slots * rows + rows;
    n += what & HEEDI_READ_CHANNEL ? (2 * slots * rot + 2) * rows : 0;
    n += what & HEEDI_READ_HEAD ? slots * heads * rows : 0;
    n += what & HEEDI_READ_DISTANCE ? 2 * slots * rows : 0;
    return (size_t)n * sizeof(double);
}

size_t heedi_readout_bytes(int what, int64_t rows, int64_t layers,
                           int64_t heads, int64_t rot)
{
    return what ? sum_of(what, rows, layers + 1, heads, rot) : 0;
}

heed_status heedi_readout_init(heedi_readout *r, heedi_arena *mem, int what,
                               int64_t rows, int64_t layers, int64_t heads,
                               int64_t rot)
{
    const int64_t slots = layers + 1;
    double *at = heedi_arena_alloc(mem, sum_of(what, rows, slots, heads, rot));
    bool *seen = heedi_arena_alloc(mem, 2 * (size_t)slots * sizeof *seen);
    if (!at || !seen)
        return HEED_ENOMEM;
    *r = (heedi_readout){.what = what,
                         .rows = rows,
                         .slots = slots,
                         .heads = heads,
                         .rot = rot,
                         .seen = seen,
                         .rotary = seen + slots,
                         .cos = at,
                         .sin = at + slots * rows,
                         .add = at + 2 * slots * rows,
                         .type = at + 3 * slots * rows};
    at += 3 * slots * rows + rows;
    if (what & HEEDI_READ_CHANNEL) {
        r->channel = at;
        at += 2 * slots * rows * rot;
        r->plus = at;
        r->type_plus = at + rows;
        at += 2 * rows;
    }
    if (what & HEEDI_READ_HEAD) {
        r->head = at;
        at += slots * heads * rows;
    }
    if (what & HEEDI_READ_DISTANCE) {
        r->distance = at;
        r->ahead = at + slots * rows;
    }
    return HEED_OK;
}

void heedi_readout_zero(heedi_readout *r)
{
    memset(r->seen, 0, 2 * (size_t)r->slots * sizeof *r->seen);
    r->typed = r->both_ways = false;
    memset(r->cos, 0, sum_of(r->what, r->rows, r->slots, r->heads, r->rot));
}

double heedi_readout_row(const heedi_readout *r, int64_t row)
{
    double sum = r->type[row];
    for (int64_t k = 0; k < r->slots; k++) {
        const int64_t i = k * r->rows + row;
        sum += r->cos[i] + r->sin[i] + r->add[i];
    }
    return sum;
}
