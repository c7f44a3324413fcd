/* heed check - does this build compute this model as it should? */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli_input.h"
#include "cli_method.h"
#include "cli_plan.h"

typedef struct job {
    heedi_cli *c;
    heedi_cli_texts texts;
    heedi_cli_input in;
    heed_pixels made; /* in place of a picture; x is NULL: there is none */
    heedi_cli_methods methods;
    heed_check_report *report;
} job;

/* A picture without any pattern that patches could share: values from -1 to
 * 1. */
static heed_status default_picture(job *j)
{
    heedi_cli *c = j->c;
    const heed_model_info *m = heed_model_about(c->model);
    heed_pixels *p = &j->made;
    *p = (heed_pixels){.channels = m->image_channels,
                       .height = m->image_height,
                       .width = m->image_width};
    const int64_t n = p->channels * p->height * p->width;
    p->x = heedi_cli_calloc(c, n, sizeof *p->x);
    if (!p->x)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        p->x[i] = (heed_real)((double)(i * 7919 % 1009) / 504 - 1);
    HEEDI_LIB(c, heed_image_tokens(&j->in.full, c->ctx, c->model, p));
    return heedi_cli_made_image(c, &j->in);
}

/* Ids 0, 1, ... 15. */
static heed_status default_ids(job *j)
{
    heedi_cli *c = j->c;
    heedi_args *a = &c->args;
    const heed_model_info *m = heed_model_about(c->model);
    int64_t n = m->vocab < 16 ? m->vocab : 16;
    n = m->context > 0 && m->context < n ? m->context : n;
    a->ids.v = heedi_cli_calloc(c, n, sizeof *a->ids.v);
    if (!a->ids.v)
        return HEED_ENOMEM;
    a->ids.n = n;
    for (int64_t i = 0; i < n; i++)
        a->ids.v[i] = i;
    return HEED_OK;
}

static bool has_input(const heedi_args *a)
{
    return a->operand || a->prompt || a->input_file || a->ids.n > 0 ||
           a->image || a->pair;
}

/* What was given, read already; or what is made where nothing was. */
static heed_status input(job *j, bool given)
{
    heedi_cli *c = j->c;
    if (!given && heed_model_about(c->model)->image_height > 0)
        return default_picture(j);
    if (!given) {
        HEEDI_TRY(default_ids(j));
        HEEDI_TRY(heedi_cli_texts_read(c, &j->texts));
    }
    return heedi_cli_prompt(c, &j->texts, 0, 0, &j->in);
}

static const char *verdict(const heed_check_row *r)
{
    return r->passed > 0 ? "ok" : r->passed == 0 ? "FAILED" : "skipped";
}

static void print_table(const job *j)
{
    const heed_check_row *r;
    puts("check\tworst\terror\ttolerance\tresult\tamount");
    for (int i = 0; (r = heed_check_at(j->report, i)); i++) {
        printf("%s\t", r->name);
        heedi_cli_print_cell(stdout, r->worst);
        putchar('\t');
        heedi_cli_print_number(stdout, r->error, '\t');
        heedi_cli_print_number(stdout, r->tolerance, '\t');
        printf("%s\t", verdict(r));
        if (isnan(r->amount))
            puts("-");
        else
            heedi_cli_print_number(stdout, r->amount, '\n');
    }
}

static json_t *number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static heed_status print_json(const job *j)
{
    heedi_cli *c = j->c;
    const heed_model_info *m = heed_model_about(c->model);
    const heed_check_row *r;
    json_t *rows = json_array();
    for (int i = 0; (r = heed_check_at(j->report, i)); i++) {
        json_t *row = json_object();
        json_object_set_new(row, "name", heedi_cli_json_text(r->name));
        json_object_set_new(row, "summary", heedi_cli_json_text(r->summary));
        json_object_set_new(row, "worst", heedi_cli_json_text(r->worst));
        json_object_set_new(row, "error", number(r->error));
        json_object_set_new(row, "tolerance", number(r->tolerance));
        json_object_set_new(row, "amount", number(r->amount));
        json_object_set_new(row, "result", heedi_cli_json_text(verdict(r)));
        json_object_set_new(row, "note", heedi_cli_json_text(r->note));
        json_array_append_new(rows, row);
    }
    json_t *doc =
        json_pack("{s:s, s:i}", "format", "heed", "format_version", 1);
    json_object_set_new(doc, "model_name", heedi_cli_json_text(m->name));
    json_object_set_new(doc, "model_arch",
                        heedi_cli_json_text(m->family->name));
    json_object_set_new(doc, "method",
                        heedi_cli_json_text(j->methods.v[0].info->name));
    json_object_set_new(doc, "n_tokens", json_integer(j->in.tokens.n));
    json_object_set_new(doc, "checks", rows);
    return heedi_cli_json_print(c, doc);
}

/* What the table has no column for. */
static void say_notes(const job *j)
{
    const heed_check_row *r;
    for (int i = 0; (r = heed_check_at(j->report, i)); i++)
        if (*r->note)
            heedi_cli_say(j->c, "check %s: %s", r->name, r->note);
}

static heed_status run_all(job *j)
{
    heedi_cli *c = j->c;
    HEEDI_TRY(heedi_cli_model_operand(c));
    const bool given = has_input(&c->args);
    if (given)
        HEEDI_TRY(heedi_cli_texts_read(c, &j->texts));
    HEEDI_TRY(heedi_cli_load_model(c));
    heedi_cli_load_tokenizer(c);
    HEEDI_TRY(input(j, given));
    HEEDI_TRY(heedi_cli_methods_choose(c, &j->methods));
    if (j->methods.n > 1)
        return heedi_cli_fail(c, HEED_EINVAL,
                              "--method: check takes one at a time");
    const heed_check_options o = {.layers = c->args.layers.v,
                                  .n_layers = c->args.layers.n,
                                  .method = j->methods.v[0].info->name,
                                  .settings = j->methods.v[0].settings,
                                  .rules = (const char *const *)c->args.rule.v,
                                  .pixels =
                                      j->made.x ? &j->made : j->in.pixels};
    heed_status st =
        heed_check(c->ctx, c->model, &j->in.tokens, &o, &j->report);
    heedi_cli_progress_end();
    if (st != HEED_OK)
        heedi_cli_lib(c, st);
    if (!j->report)
        return st;
    say_notes(j);
    if (!c->args.json) {
        print_table(j);
        return st;
    }
    heed_status printed = print_json(j);
    return st != HEED_OK ? st : printed;
}

static heed_status run(heedi_cli *c)
{
    job j = {.c = c};
    heed_status st = run_all(&j);
    heed_check_free(j.report);
    heedi_cli_methods_free(&j.methods);
    heedi_cli_input_free(c, &j.in);
    free(j.made.x);
    heedi_cli_texts_free(&j.texts);
    return st;
}

const heedi_command heedi_command_check = {
    .name = "check",
    .summary = "test gradients, relevance and reproducibility on a model",
    .operand = "{MODEL | -m MODEL} [-p TEXT | -f FILE | -]",
    .sets = HEEDI_SET_COMMON | HEEDI_SET_MODEL | HEEDI_SET_TEXT |
            HEEDI_SET_PAIR | HEEDI_SET_IMAGE | HEEDI_SET_LENGTH |
            HEEDI_SET_METHOD | HEEDI_SET_CHECK,
    .run = run,
};
