#include <heed/method.h>

#include "op.h"

#include <stdio.h>
#include <string.h>

#include "ctx.h"

const heedi_op *const heedi_ops[] = {
#define ROW(name) &heedi_op_##name,
#include "ops.inc"
#undef ROW
    NULL,
};

const heedi_op *heedi_op_named(const char *name)
{
    for (const heedi_op *const *o = heedi_ops; *o; o++)
        if (strcmp((*o)->name, name) == 0)
            return *o;
    return NULL;
}

heed_status heedi_bad_shapes(heed_ctx *ctx, const heedi_node *y)
{
    char text[256] = "", part[48];
    size_t used = 0;
    for (int i = 0; i < y->op->n_in; i++) {
        int n = snprintf(part, sizeof part, " (T, %lld)",
                         (long long)y->in[i]->cols);
        if (n > 0 && used + (size_t)n < sizeof text) {
            memcpy(text + used, part, (size_t)n + 1);
            used += (size_t)n;
        }
    }
    if (y->w)
        return heedi_fail(ctx, HEED_ESHAPE,
                          "%s: %s: inputs%s and weight %s (%lld, %lld) do not "
                          "fit %s",
                          y->name, y->op->name, text, y->w->name,
                          (long long)y->w->rows, (long long)y->w->cols,
                          y->op->formula);
    return heedi_fail(ctx, HEED_ESHAPE, "%s: %s: inputs%s do not fit %s",
                      y->name, y->op->name, text, y->op->formula);
}

const char *heed_op_rule_at(int i, const char **op)
{
    for (int k = 0; i >= 0 && heedi_ops[k]; k++)
        if (k == i) {
            *op = heedi_ops[k]->name;
            return heedi_ops[k]->rule ? heedi_ops[k]->rule : "as its gradient";
        }
    return NULL;
}
