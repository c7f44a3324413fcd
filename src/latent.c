#include "latent.h"

#include "args.h"
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

heed_status heedi_latent_init(heedi_latent *l, heedi_arena *mem, int keep,
                              int64_t layers, int64_t heads, int64_t neurons,
                              int64_t len)
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
    return HEED_OK;
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
