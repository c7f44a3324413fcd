#include "latent.h"

#include <math.h>

#include "args.h"
#include "ctx.h"
#include "tape.h"

bool heedi_has_heads(const heedi_node *y)
{
    return y->op == &heedi_op_attention;
}

/* A gated unit, or an activation of a feed-forward part. */
bool heedi_has_neurons(const heedi_node *y)
{
    return y->op == &heedi_op_glu ||
           (y->op == &heedi_op_act && heedi_name_matches("mlp.*", y->name));
}

size_t heedi_latent_bytes(int keep, int64_t layers, int64_t heads,
                          int64_t neurons, int64_t len)
{
    int64_t n = keep & HEEDI_KEEP_HEAD ? layers * heads * len : 0;
    n += keep & HEEDI_KEEP_NEURON ? layers * neurons : 0;
    return (size_t)n * sizeof(heed_real);
}

static heed_status room(heedi_top *t, heedi_arena *mem, int64_t n, int64_t top)
{
    t->n = n < top ? n : top;
    const size_t k = (size_t)t->n + 1;
    t->layer = heedi_arena_alloc(mem, k * sizeof *t->layer);
    t->number = heedi_arena_alloc(mem, k * sizeof *t->number);
    t->relevance = heedi_arena_alloc(mem, k * sizeof *t->relevance);
    return t->layer && t->number && t->relevance ? HEED_OK : HEED_ENOMEM;
}

heed_status heedi_latent_init(heedi_latent *l, heedi_arena *mem, int keep,
                              int64_t layers, int64_t heads, int64_t neurons,
                              int64_t len, int64_t top)
{
    heed_real *at = heedi_arena_alloc(
        mem, heedi_latent_bytes(keep, layers, heads, neurons, len) + 1);
    if (!at)
        return HEED_ENOMEM;
    *l = (heedi_latent){
        .layers = layers, .heads = heads, .neurons = neurons, .len = len};
    if (keep & HEEDI_KEEP_HEAD) {
        l->head = at;
        at += layers * heads * len;
    }
    if (keep & HEEDI_KEEP_NEURON)
        l->neuron = at;
    if (top > 0 && l->head)
        HEEDI_TRY(room(&l->top[HEEDI_UNIT_HEAD], mem, layers * heads, top));
    if (top > 0 && l->neuron)
        HEEDI_TRY(room(&l->top[HEEDI_UNIT_NEURON], mem, layers * neurons, top));
    return HEED_OK;
}

/* Units are `width` values each, of which the sum counts; `of` units in a
 * layer. */
static void rank(heedi_top *t, const heed_real *x, int64_t units, int64_t width,
                 int64_t of)
{
    int64_t n = 0;
    for (int64_t i = 0; t->n > 0 && i < units; i++) {
        double sum = 0;
        for (int64_t k = 0; k < width; k++)
            sum += (double)x[i * width + k];
        if (n == t->n && !(fabs(sum) > fabs((double)t->relevance[n - 1])))
            continue;
        int64_t at = n < t->n ? n++ : n - 1;
        for (; at > 0 && fabs(sum) > fabs((double)t->relevance[at - 1]); at--) {
            t->layer[at] = t->layer[at - 1];
            t->number[at] = t->number[at - 1];
            t->relevance[at] = t->relevance[at - 1];
        }
        t->layer[at] = (int32_t)(i / of);
        t->number[at] = (int32_t)(i % of);
        t->relevance[at] = (heed_real)sum;
    }
}

void heedi_latent_rank(heedi_latent *l)
{
    rank(&l->top[HEEDI_UNIT_HEAD], l->head, l->layers * l->heads, l->len,
         l->heads);
    rank(&l->top[HEEDI_UNIT_NEURON], l->neuron, l->layers * l->neurons, 1,
         l->neurons);
}

static void read_heads(heedi_latent *l, const heedi_node *y, int64_t row)
{
    const int64_t d = y->cols / l->heads;
    for (int64_t h = 0; h < l->heads; h++)
        for (int64_t t = 0; t < l->len; t++) {
            const heed_real *x = y->x + (row + t) * y->cols + h * d;
            const heed_real *g = y->g + (row + t) * y->cols + h * d;
            double sum = 0;
            for (int64_t i = 0; i < d; i++)
                sum += (double)x[i] * (double)g[i];
            l->head[(y->layer * l->heads + h) * l->len + t] = (heed_real)sum;
        }
}

static void read_neurons(heedi_latent *l, const heedi_node *y, int64_t row)
{
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < l->neurons; i++) {
        double sum = 0;
        for (int64_t t = 0; t < l->len; t++)
            sum += (double)y->x[(row + t) * y->cols + i] *
                   (double)y->g[(row + t) * y->cols + i];
        l->neuron[y->layer * l->neurons + i] = (heed_real)sum;
    }
}

void heedi_latent_read(heedi_latent *l, const heedi_node *y, int64_t row)
{
    if (l->head && heedi_has_heads(y))
        read_heads(l, y, row);
    if (l->neuron && heedi_has_neurons(y))
        read_neurons(l, y, row);
}
