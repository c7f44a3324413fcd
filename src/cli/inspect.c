/* heed inspect - what a model is, and the memory that explaining it needs. */
#include <stdlib.h>
#include <string.h>

#include "cli_input.h"
#include "cli_output.h"
#include "cli_plan.h"

/* One fact: as a line of a table, or a member of an object. */
static void fact_text(json_t *j, const char *key, const char *value)
{
    if (j) {
        json_object_set_new(j, key, heedi_cli_json_text(value));
        return;
    }
    printf("%s\t", key);
    heedi_cli_print_cell(stdout, value ? value : "");
    putchar('\n');
}

static void fact(json_t *j, const char *key, int64_t value)
{
    if (j)
        json_object_set_new(j, key, json_integer(value));
    else
        printf("%s\t%lld\n", key, (long long)value);
}

static void show_model(const heedi_cli *c, json_t *j)
{
    const heed_model_info *m = heed_model_about(c->model);
    fact_text(j, "model_name", m->name);
    fact_text(j, "model_arch", m->family->name);
    fact_text(j, "method", m->family->method);
    fact_text(j, "source", m->source);
    fact_text(j, "dtype_weights", m->dtype);
    fact_text(j, "dtype_compute", sizeof(heed_real) == 4 ? "f32" : "f64");
    fact(j, "layers", m->n_layers);
    fact(j, "width", m->width);
    fact(j, "heads", m->n_heads);
    fact(j, "kv_heads", m->n_kv_heads);
    fact(j, "head_dim", m->head_dim);
    fact(j, "ff", m->ff);
    fact_text(j, "activation", m->act);
    fact(j, "vocabulary", m->vocab);
    fact(j, "context", m->context);
    fact_text(j, "rope", m->rope);
    fact(j, "weights", m->n_weights);
    fact(j, "weight_bytes", m->weight_bytes);
    fact(j, "tied_head", m->tied);
    fact_text(j, "head", heed_head_name(m->head));
    if (m->head == HEED_HEAD_CLASS)
        fact(j, "labels", m->n_labels);
    if (m->head == HEED_HEAD_EMBEDDING) {
        fact_text(j, "pooling", m->pooling);
        fact(j, "normalizes", m->normalizes);
    }
    fact(j, "segments", m->n_segments);
    if (m->image_height > 0) {
        fact(j, "image_height", m->image_height);
        fact(j, "image_width", m->image_width);
        fact(j, "image_channels", m->image_channels);
        fact(j, "patch_height", m->patch_height);
        fact(j, "patch_width", m->patch_width);
    }
    fact_text(j, "weights_sha256", c->hash[0]);
    fact_text(j, "config_sha256", c->hash[1]);
    fact_text(j, "tokenizer_sha256", c->hash[2]);
}

static void show_tokenizer(const heedi_cli *c, json_t *j)
{
    if (!c->tokenizer) {
        fact_text(j, j ? "missing" : "tokenizer", c->tokenizer_why);
        return;
    }
    const heed_tokenizer_info *t = heed_tokenizer_about(c->tokenizer);
    fact_text(j, j ? "kind" : "tokenizer", t->kind);
    fact_text(j, j ? "pre" : "tokenizer_pre", t->pre);
    fact(j, j ? "tokens" : "tokenizer_tokens", t->n_tokens);
    fact(j, "bos", t->bos);
    fact(j, "eos", t->eos);
    fact(j, "pad", t->pad);
    fact(j, "adds_bos", t->adds_bos);
    fact(j, "adds_eos", t->adds_eos);
}

/* The plan of the family's own method for an input. */
static heed_status plan(heedi_cli *c, const heed_input *in, heed_plan *out)
{
    heed_request q = {.model = c->model, .input = in, .n_inputs = 1};
    HEEDI_LIB(c, heed_plan_of(c->ctx, &q, out));
    return HEED_OK;
}

/* ... for any n tokens */
static heed_status plan_text(heedi_cli *c, int64_t n, heed_plan *out)
{
    heed_tokens *tokens = NULL;
    int32_t *id = heedi_cli_calloc(c, n, sizeof *id);
    if (!id)
        return HEED_ENOMEM;
    heed_status st = heed_tokens_of(&tokens, c->ctx, NULL, id, n);
    free(id);
    if (st != HEED_OK)
        return heedi_cli_lib(c, st);
    const heed_head head = heed_model_about(c->model)->head;
    heed_target target = HEED_TARGET;
    if (head == HEED_HEAD_MASKED)
        target.at = -1;
    /* of two texts that are compared, each has a half */
    for (int64_t i = n / 2; head == HEED_HEAD_EMBEDDING && i < n; i++)
        tokens->token[i].segment = 1;
    st = plan(c, &(heed_input){tokens, &target, 1, NULL}, out);
    heed_tokens_free(c->ctx, tokens);
    return st;
}

/* ... for any image */
static heed_status plan_image(heedi_cli *c, heed_plan *out)
{
    const heed_model_info *m = heed_model_about(c->model);
    heed_pixels p = {.channels = m->image_channels,
                     .height = m->image_height,
                     .width = m->image_width};
    p.x = heedi_cli_calloc(c, p.channels * p.height * p.width, sizeof *p.x);
    if (!p.x)
        return HEED_ENOMEM;
    heed_status st = plan(c, &(heed_input){.pixels = &p}, out);
    free(p.x);
    return st;
}

static heed_status run(heedi_cli *c)
{
    heedi_args *a = &c->args;
    heed_plan p;
    HEEDI_TRY(heedi_cli_model_operand(c));
    HEEDI_TRY(heedi_cli_load_model(c));
    heedi_cli_load_tokenizer(c);
    HEEDI_TRY(heedi_cli_hash(c));
    int64_t context = heed_model_about(c->model)->context;
    const bool image = heed_model_about(c->model)->image_height > 0;
    int64_t n = image                          ? context
                : a->tokens > 0                ? a->tokens
                : context > 0 && context < 512 ? context
                                               : 512;
    HEEDI_TRY(image ? plan_image(c, &p) : plan_text(c, n, &p));
    if (!a->json) {
        show_model(c, NULL);
        show_tokenizer(c, NULL);
        printf("plan_tokens\t%lld\n", (long long)n);
        heedi_cli_plan_print("plan_", &p);
        return HEED_OK;
    }
    json_t *doc =
        json_pack("{s:s, s:i}", "format", "heed", "format_version", 1);
    json_t *model = json_object(), *tokenizer = json_object(),
           *need = heedi_cli_plan_json(&p);
    show_model(c, model);
    show_tokenizer(c, tokenizer);
    json_object_set_new(need, "tokens", json_integer(n));
    json_object_set_new(doc, "model", model);
    json_object_set_new(doc, "tokenizer", tokenizer);
    json_object_set_new(doc, "plan", need);
    return heedi_cli_json_print(c, doc);
}

const heedi_command heedi_command_inspect = {
    .name = "inspect",
    .summary = "what a model is, and the memory that explaining it needs",
    .operand = "[MODEL]",
    .sets = HEEDI_SET_COMMON | HEEDI_SET_MODEL | HEEDI_SET_SIZE,
    .run = run,
};
