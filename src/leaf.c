#include "leaf.h"

#include "ctx.h"
#include "words.h"

/* In the order of heedi_leaf. */
static const char *const names[] = {"word", "sum", "normed"};
enum { N_LEAVES = sizeof names / sizeof *names };

heed_status heedi_leaf_named(heed_ctx *ctx, const char *name, int *leaf)
{
    *leaf = HEEDI_LEAF_WORD;
    for (int i = 0; name && i < N_LEAVES; i++)
        if (heedi_same_name(names[i], name)) {
            *leaf = i;
            return HEED_OK;
        }
    return name ? heedi_fail(ctx, HEED_EINVAL,
                             "leaf '%.40s': must be word, sum or normed", name)
                : HEED_OK;
}

const char *heedi_leaf_name(int leaf)
{
    return names[leaf];
}

static bool adds(const heedi_node *y)
{
    return y->op == &heedi_op_position || y->op == &heedi_op_segment;
}

static bool norms(const heedi_node *y)
{
    return y->op == &heedi_op_layernorm || y->op == &heedi_op_rmsnorm;
}

heed_status heedi_leaf_choose(const heedi_exec *e, const heedi_node *word,
                              const heedi_node **out)
{
    const heedi_node *y = word;
    *out = word;
    if (e->o.leaf == HEEDI_LEAF_WORD)
        return HEED_OK;
    if (e->m->patch.rows > 0)
        return heedi_fail(e->ctx, HEED_ENOTSUP,
                          "leaf '%s': a model that reads images is explained "
                          "at its patches",
                          names[e->o.leaf]);
    while (y->next && adds(y->next))
        y = y->next;
    if (e->o.leaf == HEEDI_LEAF_SUM && y == word)
        return heedi_fail(e->ctx, HEED_ENOTSUP,
                          "leaf 'sum': this '%s' model adds no positions or "
                          "token types to its embeddings: leaf 'word' is the "
                          "same",
                          e->m->family->info.name);
    if (e->o.leaf == HEEDI_LEAF_NORMED)
        y = y->next;
    if (!y || (e->o.leaf == HEEDI_LEAF_NORMED && !norms(y)))
        return heedi_fail(e->ctx, HEED_ENOTSUP,
                          "leaf 'normed': '%s' models have no norm right "
                          "behind their embeddings",
                          e->m->family->info.name);
    *out = y;
    return HEED_OK;
}
