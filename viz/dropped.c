#include "dropped.h"

#include "ctx.h"
#include "field.h"
#include "result.h"

/* Which tokens are special, or NULL. */
static const heed_array *special(const heed_result *r)
{
    const heed_array *a = heed_result_get(r, "input", "is_special");
    return a && a->var.nd == 1 && a->var.type == HEED_U8 ? a : NULL;
}

heed_status heedi_dropped_init(heedi_dropped *d, heedi_arena *mem,
                               const heed_result *r, const char *group,
                               const int64_t n[2], const int64_t pool[2],
                               const heed_figure_options *o)
{
    static const char *const dim[2] = {"query", "key"};
    static const char *const words[4] = {
        "", "position 0 not in the range", "special tokens not in the range",
        "position 0 and special tokens not in the range"};
    const heed_array *s = o->drop_special ? special(r) : NULL;
    int found = 0;
    for (int axis = 0; axis < 2; axis++) {
        const heed_array *at = heedi_coordinates(r, group, dim[axis], n[axis]);
        bool *out = heedi_arena_alloc(mem, (size_t)n[axis] * sizeof *out);
        if (!out)
            return HEED_ENOMEM;
        for (int64_t i = 0; i < n[axis]; i++) {
            const int64_t pos =
                at ? (int64_t)heedi_number(at->var.type, at->data, i) : i;
            const bool first = o->drop_first && pos == 0;
            const bool is_special = s && pos >= 0 && pos < s->var.len[0] &&
                                    ((const uint8_t *)s->data)[pos];
            out[i / pool[axis]] |= first || is_special;
            found |= (first ? 1 : 0) | (is_special ? 2 : 0);
        }
        *(axis ? &d->column : &d->row) = out;
    }
    d->words = words[o->vmin == 0 && o->vmax == 0 ? found : 0];
    return HEED_OK;
}
