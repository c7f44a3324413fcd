/* patches.h - pictures as rows: what a model of images is run on. */
#ifndef HEEDI_PATCHES_H
#define HEEDI_PATCHES_H

#include <heed/image.h>

#include "model.h"

/* Read image_size and patch_size, either one number or (height, width), and
 * num_channels into m->patch, set dim['X'] to the tokens of a picture, and
 * prefix learned ones before the patches. HEED_EFORMAT. */
heed_status heedi_patches_configure(heed_model *m, int64_t prefix);

/* Values of one patch. */
static inline int64_t heedi_patch_size(const heed_model *m)
{
    return m->patch.channels * m->patch.height * m->patch.width;
}

/* Tokens of a picture. */
static inline int64_t heedi_patch_tokens(const heed_model *m)
{
    return m->patch.prefix + m->patch.rows * m->patch.cols;
}

/* Columns of the leaf. */
static inline int64_t heedi_leaf_cols(const heed_model *m)
{
    return m->patch.rows > 0 ? heedi_patch_size(m) : m->dim['C'];
}

/* Is it a picture as m reads it? HEED_EINVAL says what is not. */
heed_status heedi_patches_check(heed_ctx *ctx, const heed_model *m,
                                const heed_pixels *p);

/* Rows of the leaf: zeros for learned tokens, then the patches row by row, the
 * values of each by (channel, row, column). */
void heedi_patches_fill(const heed_model *m, const heed_pixels *p,
                        heed_real *rows);

/* The other way: where value k of the patch of row t lies in (channels,
 * height, width). t is not that of a learned token. */
int64_t heedi_patch_pixel(const heed_model *m, int64_t t, int64_t k);

#endif
