#include "image.h"

#include <string.h>

/* How rows and columns of the upright picture are found in the file's: swapped
 * or not, then counted from the other end or not. */
static const struct {
    bool swap, row_back, col_back;
} turn[9] = {
    [2] = {false, false, true}, [3] = {false, true, true},
    [4] = {false, true, false}, [5] = {true, false, false},
    [6] = {true, true, false},  [7] = {true, true, true},
    [8] = {true, false, true},
};

bool heedi_turns(int orientation)
{
    return orientation >= 2 && orientation <= 8;
}

heed_status heedi_orient(heed_ctx *ctx, heedi_raster *in, int orientation)
{
    if (!heedi_turns(orientation))
        return HEED_OK;
    const bool swap = turn[orientation].swap;
    const int64_t w = in->width, h = in->height;
    heedi_raster out = {
        .width = swap ? h : w, .height = swap ? w : h, .memory = in->memory};
    out.rgb = heedi_alloc_raw(ctx, (size_t)(w * h) * 3);
    if (!out.rgb)
        return HEED_ENOMEM;
    for (int64_t y = 0; y < out.height; y++)
        for (int64_t x = 0; x < out.width; x++) {
            int64_t r = swap ? x : y, c = swap ? y : x;
            r = turn[orientation].row_back ? h - 1 - r : r;
            c = turn[orientation].col_back ? w - 1 - c : c;
            memcpy(out.rgb + (y * out.width + x) * 3, in->rgb + (r * w + c) * 3,
                   3);
        }
    heedi_free(ctx, in->rgb);
    *in = out;
    return HEED_OK;
}
