/* meet.c - where a text may be cut without changing how it is merged: between
 * two characters that follow each other in no token. */
#include "ctx.h"
#include "tokenizer.h"
#include "utf8.h"

heed_status heedi_meet_build(heed_tokenizer *t)
{
    for (int64_t id = 0; id < t->info.n_tokens; id++) {
        const heedi_str *s = t->str + id;
        uint32_t before = HEEDI_BAD_CHAR;
        if (!(t->flag[id] & (HEEDI_IN_MODEL | HEEDI_ADDED)))
            continue;
        for (size_t i = 0, len; i < s->len; i += len) {
            uint32_t c = heedi_utf8_get(s->s + i, s->len - i, &len);
            if (before != HEEDI_BAD_CHAR && c != HEEDI_BAD_CHAR)
                HEEDI_TRY(heedi_map_put(&t->model.meet, t->ctx,
                                        (uint64_t)before << 32 | c, 0));
            before = c;
        }
    }
    t->model.cuts = true;
    return HEED_OK;
}

bool heedi_never_meet(const heedi_model *m, uint32_t a, uint32_t b)
{
    return m->cuts &&
           heedi_map_get(&m->meet, (uint64_t)a << 32 | b) == UINT32_MAX;
}
