/* The context, the model and its tokenizer. */
#include <string.h>

#include "cli_input.h"

static heed_status need_path(heedi_cli *c)
{
    if (!c->args.model)
        return heedi_cli_fail(c, HEED_EINVAL,
                              "no model: -m needs a Hugging Face directory or "
                              "a .gguf file");
    if (!*c->args.model)
        return heedi_cli_fail(c, HEED_EINVAL, "--model '': the path is empty");
    return HEED_OK;
}

heed_status heedi_cli_model_operand(heedi_cli *c)
{
    heedi_args *a = &c->args;
    if (!a->operand || strcmp(a->operand, "-") == 0)
        return HEED_OK;
    if (a->model)
        return heedi_cli_fail(c, HEED_EINVAL,
                              "'%s': not with --model, which names the model",
                              a->operand);
    a->model = a->operand;
    a->operand = NULL;
    return HEED_OK;
}

heed_status heedi_cli_load_model(heedi_cli *c)
{
    HEEDI_TRY(need_path(c));
    HEEDI_LIB(c, heed_model_load(&c->model, c->ctx, c->args.model));
    if (c->args.verbose) {
        const heed_model_info *m = heed_model_about(c->model);
        heedi_cli_say(c, "%s: %s, %lld layers, width %lld, %s", c->args.model,
                      m->family->name, (long long)m->n_layers,
                      (long long)m->width, m->dtype);
    }
    if (heedi_cli_interrupted())
        return heedi_cli_fail(c, HEED_ECANCEL, "interrupted while loading");
    return HEED_OK;
}

void heedi_cli_load_tokenizer(heedi_cli *c)
{
    heed_status st = need_path(c);
    if (st == HEED_OK) {
        st = heed_tokenizer_load(&c->tokenizer, c->ctx, c->args.model);
        if (st != HEED_OK)
            heedi_cli_lib(c, st);
    }
    if (st != HEED_OK) {
        c->tokenizer = NULL;
        memcpy(c->tokenizer_why, c->why, sizeof c->why);
        c->why[0] = '\0';
    }
    c->tokenizer_status = st;
}

heed_status heedi_cli_tokenizer(heedi_cli *c)
{
    if (c->tokenizer)
        return HEED_OK;
    return heedi_cli_fail(
        c, c->tokenizer_status ? c->tokenizer_status : HEED_EINTERNAL, "%s",
        c->tokenizer_why);
}
