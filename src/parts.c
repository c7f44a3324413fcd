#include "parts.h"

#include <math.h>

#include "ctx.h"

static heed_real *reals(heedi_arena *mem, int64_t n)
{
    return heedi_arena_alloc(mem, (size_t)n * sizeof(heed_real));
}

/* Of slot 0, a learned table, there is nothing by head, distance or frequency:
 * where that is all, they are left out, else their rows are missing. */
static heed_status allocate(heedi_parts *p, heedi_arena *mem,
                            const heedi_readout *r)
{
    const int64_t n = p->n + (p->n == 0), t = p->len;
    const bool layered = p->n > (r->seen[0] ? 1 : 0);
    p->layer = heedi_arena_alloc(mem, (size_t)n * sizeof *p->layer);
    p->token = reals(mem, t);
    p->position = reals(mem, n * t);
    p->cos = reals(mem, n * t);
    p->sin = reals(mem, n * t);
    bool ok = p->layer && p->token && p->position && p->cos && p->sin;
    if (r->typed)
        ok = (p->type = reals(mem, t)) && ok;
    if (r->head && layered) {
        p->heads = r->heads;
        ok = (p->head = reals(mem, n * r->heads * t)) && ok;
    }
    if (r->distance && layered)
        ok = (p->distance = reals(mem, n * t)) && ok;
    if (p->distance && r->both_ways)
        ok = (p->ahead = reals(mem, n * t)) && ok;
    if (r->channel) {
        p->frequencies = layered ? r->rot / 2 : 0;
        ok = (p->frequency = reals(mem, n * (r->rot / 2) * t)) && ok;
        p->joint = heedi_arena_alloc(mem, (size_t)t * sizeof *p->joint);
        p->apart = heedi_arena_alloc(mem, (size_t)t * sizeof *p->apart);
        ok = p->joint && p->apart && ok;
    }
    return ok ? HEED_OK : HEED_ENOMEM;
}

size_t heedi_parts_bytes(int what, int64_t len, int64_t layers, int64_t heads,
                         int64_t rot)
{
    int64_t n = 3 + (what & HEEDI_READ_DISTANCE ? 2 : 0);
    n += what & HEEDI_READ_HEAD ? heads : 0;
    n += what & HEEDI_READ_CHANNEL ? rot / 2 : 0;
    return what ? (size_t)(n * (layers + 1) * len) * sizeof(heed_real) : 0;
}

static double positive(double x)
{
    return x > 0 ? x : 0;
}

/* One token of one layer: c is (2, rot). */
static void channels(heedi_parts *p, int64_t k, int64_t t, const double *c,
                     int64_t rot, bool pairs)
{
    const int64_t half = rot / 2;
    for (int64_t i = 0; i < half; i++) {
        const int64_t d0 = pairs ? 2 * i : i, d1 = pairs ? d0 + 1 : i + half;
        p->frequency[(k * half + i) * p->len + t] =
            (heed_real)(c[d0] + c[d1] + c[rot + d0] + c[rot + d1]);
    }
    for (int64_t d = 0; d < rot; d++) {
        p->joint[t] += positive(c[d] + c[rot + d]);
        p->apart[t] += positive(c[d]) + positive(c[rot + d]);
    }
}

static void copy_slot(heedi_parts *p, const heedi_readout *r, int64_t k,
                      int64_t slot, int64_t row, bool pairs)
{
    const int64_t from = slot * r->rows + row, to = k * p->len;
    p->layer[k] = (int32_t)slot - 1;
    for (int64_t t = 0; t < p->len; t++) {
        const double c = r->cos[from + t], s = r->sin[from + t];
        const double add = r->add[from + t];
        p->cos[to + t] = (heed_real)c;
        p->sin[to + t] = (heed_real)s;
        p->position[to + t] = (heed_real)(c + s + add);
        if (p->distance)
            p->distance[to + t] =
                slot ? (heed_real)r->distance[from + t] : (heed_real)NAN;
        if (p->ahead)
            p->ahead[to + t] =
                slot ? (heed_real)r->ahead[from + t] : (heed_real)NAN;
        for (int64_t h = 0; h < p->heads; h++)
            p->head[(k * p->heads + h) * p->len + t] =
                slot ? (heed_real)
                           r->head[(slot * r->heads + h) * r->rows + row + t]
                     : (heed_real)NAN;
        if (!r->channel)
            continue;
        for (int64_t f = 0; !r->rotary[slot] && f < p->frequencies; f++)
            p->frequency[(k * p->frequencies + f) * p->len + t] =
                (heed_real)NAN;
        if (r->rotary[slot]) {
            channels(p, k, t, r->channel + (from + t) * 2 * r->rot, r->rot,
                     pairs);
        } else {
            const double plus = slot == 0 ? r->plus[row + t] : positive(add);
            p->joint[t] += plus;
            p->apart[t] += plus;
        }
    }
}

heed_status heedi_parts_copy(heedi_parts *p, heedi_arena *mem,
                             const heedi_readout *r, int64_t row, int64_t len,
                             bool pairs)
{
    *p = (heedi_parts){.len = len};
    for (int64_t slot = 0; slot < r->slots; slot++)
        p->n += r->seen[slot];
    HEEDI_TRY(allocate(p, mem, r));
    for (int64_t slot = 0, k = 0; slot < r->slots; slot++)
        if (r->seen[slot])
            copy_slot(p, r, k++, slot, row, pairs);
    for (int64_t t = 0; p->type && t < len; t++)
        p->type[t] = (heed_real)r->type[row + t];
    return HEED_OK;
}
