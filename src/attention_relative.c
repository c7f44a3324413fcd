#include <string.h>

#include "attention_block.h"
#include "gemm.h"

/* What distances add to a score before scaling (Shaw et al. 2018),
 *     q_i E[j - i] + k_j F[j - i],
 * in tiles of TILE queries and keys: a product with all distances of a tile,
 * of which each pair picks its own. */

enum { TILE = 64, SPREAD = 2 * TILE };

typedef struct tile {
    int64_t i, n, j, w;    /* queries i ... i+n-1 and keys of the block */
    int64_t step;          /* from query 0 to key 0 of the tile */
    int64_t first, spread; /* rows of the table that it needs */
} tile;

/* The row of a distance. */
static int64_t row_of(const heedi_attention_args *a, int64_t step)
{
    const int64_t m = a->span;
    return (step < -m ? -m : step > m ? m : step) + m;
}

static tile tile_at(const heedi_attention_args *a, const block *b, int64_t i,
                    int64_t j)
{
    tile t = {.i = i,
              .n = b->n - i < TILE ? b->n - i : TILE,
              .j = j,
              .w = b->w - j < TILE ? b->w - j : TILE,
              .step = b->j0 + j - b->i0 - i};
    t.first = row_of(a, t.step - (t.n - 1));
    t.spread = row_of(a, t.step + t.w - 1) - t.first + 1;
    return t;
}

/* Where the pair of query i and key j of a tile is, in a row of SPREAD. */
static int64_t place(const heedi_attention_args *a, const tile *t, int64_t i,
                     int64_t j)
{
    return row_of(a, t->step + j - i) - t->first;
}

/* The table of queries, or of keys. */
static const heed_real *table(const heedi_attention_args *a, int of_key)
{
    return of_key ? a->by_key : a->by_query;
}

/* p (block->n, block->w) += those of a tile; x: row 0 of the side. */
static void scores_of(const heedi_attention_args *a, const block *b,
                      const tile *t, int of_key, const heed_real *x, int64_t ld,
                      heed_real *p)
{
    heed_real all[TILE * SPREAD];
    const int64_t d = a->head_dim;
    heedi_blas(false, true, of_key ? t->w : t->n, t->spread, d, 1, x, ld,
               table(a, of_key) + t->first * d, d, 0, all, SPREAD);
    for (int64_t i = 0; i < t->n; i++)
        for (int64_t j = 0; j < t->w; j++)
            p[(t->i + i) * b->w + t->j + j] +=
                all[(of_key ? j : i) * SPREAD + place(a, t, i, j)];
}

/* gx += c times what the gradients s of a tile give its side. */
static void back_of(const heedi_attention_args *a, const block *b,
                    const tile *t, int of_key, const heed_real *s, heed_real c,
                    heed_real *gx, int64_t ld)
{
    heed_real all[TILE * SPREAD];
    const int64_t d = a->head_dim;
    memset(all, 0, sizeof all);
    for (int64_t i = 0; i < t->n; i++)
        for (int64_t j = 0; j < t->w; j++)
            all[(of_key ? j : i) * SPREAD + place(a, t, i, j)] +=
                s[(t->i + i) * b->w + t->j + j];
    heedi_blas(false, false, of_key ? t->w : t->n, d, t->spread, c, all, SPREAD,
               table(a, of_key) + t->first * d, d, 1, gx, ld);
}

void heedi_relative_scores(const heedi_attention_args *a, const block *b,
                           const heed_real *q, int64_t ldq, const heed_real *k,
                           int64_t ldk, heed_real *p)
{
    for (int64_t i = 0; i < b->n; i += TILE)
        for (int64_t j = 0; j < b->w; j += TILE) {
            const tile t = tile_at(a, b, i, j);
            if (a->by_query)
                scores_of(a, b, &t, 0, q + i * ldq, ldq, p);
            if (a->by_key)
                scores_of(a, b, &t, 1, k + (b->j0 + j) * ldk, ldk, p);
        }
}

void heedi_relative_back(const heedi_attention_args *a, const block *b,
                         const heed_real *s, heed_real c, heed_real *gq,
                         int64_t ldq, heed_real *gk, int64_t ldk)
{
    for (int64_t i = 0; i < b->n; i += TILE)
        for (int64_t j = 0; j < b->w; j += TILE) {
            const tile t = tile_at(a, b, i, j);
            if (a->by_query)
                back_of(a, b, &t, 0, s, c, gq + i * ldq, ldq);
            if (a->by_key)
                back_of(a, b, &t, 1, s, c, gk + (b->j0 + j) * ldk, ldk);
        }
}

void heedi_attention_products(const heedi_node *y, const block *b,
                              const heed_real *q, const heed_real *k,
                              heed_real *p)
{
    const heedi_attention_args *a = y->args;
    const int64_t ldq = y->cols, ldk = y->in[1]->cols;
    heedi_blas(false, true, b->n, b->w, a->head_dim, 1, q, ldq, k + b->j0 * ldk,
               ldk, 0, p, b->w);
    if (relative(a))
        heedi_relative_scores(a, b, q, ldq, k, ldk, p);
}
