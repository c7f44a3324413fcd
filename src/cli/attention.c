/* heed attention - attention maps, to a file or one of them to stdout. */
#include <stdlib.h>
#include <string.h>

#include "cli_input.h"
#include "cli_method.h"
#include "cli_output.h"
#include "cli_plan.h"

typedef struct job {
    heedi_cli *c;
    const heed_method_info *method;
    heed_setting settings[3];
    heedi_cli_texts texts;
    heedi_cli_input in;
    heedi_cli_output out;
    bool table;
} job;

/* Softmax weights are one method, every other kind of matrix another. */
static heed_status choose_method(job *j)
{
    static const char *const kinds[] = {"", "softmax", "core", "block", "core"};
    heedi_cli *c = j->c;
    int kind = c->args.kind;
    bool softmax = kind == 0 || kind == HEEDI_ATTENTION_SOFTMAX;
    const char *name = softmax ? "attention" : "implicit_attention";
    int n = 0;
    j->method = heed_method_named(name);
    if (!j->method)
        return heedi_cli_fail(c, HEED_ENOTSUP,
                              "--kind %s: this build has no method '%s'",
                              softmax ? "softmax" : kinds[kind], name);
    for (const heed_option *o = j->method->options; o && o->name; o++) {
        if (kind && strcmp(o->name, "kind") == 0)
            j->settings[n++] = (heed_setting){"kind", kinds[kind]};
        if (c->args.reduce && strcmp(o->name, "reduce") == 0)
            j->settings[n++] = (heed_setting){"reduce", c->args.reduce};
    }
    return HEED_OK;
}

/* How many of `all` a list picks. */
static int64_t picked(const heedi_ints *list, int64_t all)
{
    return list->n > 0 ? list->n : all;
}

static heed_status check_one_map(job *j)
{
    heedi_cli *c = j->c;
    const heed_model_info *m = heed_model_about(c->model);
    bool merged =
        c->args.reduce && !heedi_cli_listed("none", ' ', c->args.reduce);
    bool one = picked(&c->args.layers, m->n_layers) == 1 &&
               (merged || picked(&c->args.heads, m->n_heads) == 1);
    const char *what = heedi_cli_has_picture(&c->args) ? "a picture"
                       : c->args.json                  ? "--json"
                                                       : "a table";
    if (one || (!j->table && !c->args.json && !heedi_cli_has_picture(&c->args)))
        return HEED_OK;
    return heedi_cli_fail(c, HEED_EINVAL,
                          "attention: %s shows one matrix, which --layers N "
                          "and --heads N choose; -o FILE stores all",
                          what);
}

static heed_status check_rows(job *j)
{
    const heedi_ints *rows = &j->c->args.rows;
    int64_t n = j->in.tokens.n;
    for (int64_t i = 0; i < rows->n; i++)
        if (rows->v[i] >= n)
            return heedi_cli_fail(j->c, HEED_EINVAL,
                                  "--rows %lld: the sequence has rows "
                                  "0 ... %lld",
                                  (long long)rows->v[i], (long long)(n - 1));
    return HEED_OK;
}

static bool row_wanted(const heedi_ints *rows, int64_t q)
{
    for (int64_t i = 0; i < rows->n; i++)
        if (rows->v[i] == q)
            return true;
    return rows->n <= 0;
}

/* Coordinates of a dimension are the model's own numbers. */
static int64_t coordinate(const heed_result *r, const char *dim, int64_t i)
{
    const heed_array *a = heed_result_get(r, "", dim);
    if (!a || i >= a->var.len[0])
        return i;
    return a->var.type == HEED_I32   ? ((const int32_t *)a->data)[i]
           : a->var.type == HEED_I64 ? ((const int64_t *)a->data)[i]
                                     : i;
}

static heed_status print_table(job *j)
{
    const heed_result *r = j->out.result;
    const heed_array *a = heed_result_get(r, "attention", "attention");
    if (!a || a->var.nd != 4)
        return heedi_cli_fail(j->c, HEED_EINTERNAL,
                              "attention: the method wrote no map");
    const int64_t *n = a->var.len;
    puts("layer\thead\tquery\tkey\tweight");
    for (int64_t i = 0; i < n[0] * n[1] * n[2] * n[3]; i++) {
        int64_t key = i % n[3], query = i / n[3] % n[2];
        double w = a->var.type == HEED_F64
                       ? ((const double *)a->data)[i]
                       : (double)((const float *)a->data)[i];
        if (!row_wanted(&j->c->args.rows, query))
            continue;
        printf("%lld\t%lld\t%lld\t%lld\t",
               (long long)coordinate(r, "layer", i / (n[1] * n[2] * n[3])),
               (long long)coordinate(r, "head", i / (n[2] * n[3]) % n[1]),
               (long long)query, (long long)key);
        heedi_cli_print_number(stdout, w, '\n');
    }
    return HEED_OK;
}

static heed_status prepare(job *j)
{
    heedi_cli *c = j->c;
    const heedi_args *a = &c->args;
    heed_figure_options o;
    HEEDI_TRY(heedi_cli_texts_read(c, &j->texts));
    HEEDI_TRY(heedi_cli_figure_options(c, &o));
    HEEDI_TRY(choose_method(j));
    if (a->rows.n > 0 && a->output)
        return heedi_cli_fail(c, HEED_ENOTSUP,
                              "--rows: not with -o in this version, which "
                              "stores all rows");
    if (!a->dry_run)
        HEEDI_TRY(heedi_cli_outputs_check(c, 1));
    j->table =
        !a->output && !a->json && !a->dry_run && !heedi_cli_has_picture(a);
    HEEDI_TRY(heedi_cli_load_model(c));
    heedi_cli_load_tokenizer(c);
    return a->dry_run ? HEED_OK : check_one_map(j);
}

static heed_status show_plan(heedi_cli *c, const heed_plan *p)
{
    if (!c->args.json) {
        puts("part\tbytes\tsize");
        heedi_cli_plan_print("", p);
        return HEED_OK;
    }
    json_t *doc =
        json_pack("{s:s, s:i, s:o}", "format", "heed", "format_version", 1,
                  "plan", heedi_cli_plan_json(p));
    return heedi_cli_json_print(c, doc);
}

/* Does the result file take tiles as they come? */
static int streams(const char *path)
{
    const char *dot = path ? strrchr(path, '.') : NULL;
    const heed_format_info *f;
    for (int i = 0; dot && (f = heed_format_at(i)); i++)
        if (f->streams && strstr(f->extension, dot))
            return 1;
    return 0;
}

static heed_status run_all(job *j)
{
    heedi_cli *c = j->c;
    const heedi_args *a = &c->args;
    HEEDI_TRY(prepare(j));
    bool keep = j->table || a->json || heedi_cli_has_picture(a);
    if (!a->dry_run)
        HEEDI_TRY(heedi_cli_output_open(c, &j->out, 0, 1, keep));
    HEEDI_TRY(heedi_cli_prompt(c, &j->texts, 0, 0, &j->in));
    HEEDI_TRY(check_rows(j));
    heed_input input = {.tokens = &j->in.tokens, .pixels = j->in.pixels};
    heed_request q = {
        .model = c->model,
        .tokenizer = c->tokenizer,
        .method = j->method->name,
        .settings = j->settings,
        .input = &input,
        .n_inputs = 1,
        .reduce = j->settings[1].name ? NULL : a->reduce,
        .layers = a->layers.v,
        .n_layers = a->layers.n,
        .heads = a->heads.v,
        .n_heads = a->heads.n,
        .streams = streams(a->output),
    };
    if (a->dry_run) {
        heed_plan p;
        HEEDI_LIB(c, heed_plan_of(c->ctx, &q, &p));
        return show_plan(c, &p);
    }
    heed_sink s = heedi_cli_output_sink(&j->out);
    HEEDI_TRY(heedi_cli_provenance(c, &s, &j->in.tokens));
    HEEDI_LIB(c, heed_attribute(c->ctx, &q, &s));
    heedi_cli_progress_end();
    HEEDI_TRY(heedi_cli_output_close(c, &j->out));
    if (heedi_cli_has_picture(a))
        HEEDI_TRY(heedi_cli_pictures(c, j->out.result, "attention", "attention",
                                     -1, NULL, -1));
    if (a->json)
        return heedi_cli_json(c, j->out.result, false);
    return j->table ? print_table(j) : HEED_OK;
}

static heed_status run(heedi_cli *c)
{
    job j = {.c = c};
    heed_status st = run_all(&j);
    heedi_cli_output_free(&j.out);
    heedi_cli_input_free(c, &j.in);
    heedi_cli_texts_free(&j.texts);
    return st;
}

const heedi_command heedi_command_attention = {
    .name = "attention",
    .summary = "attention maps of layers and heads",
    .operand = "[-]",
    .sets = HEEDI_SET_COMMON | HEEDI_SET_MODEL | HEEDI_SET_TEXT |
            HEEDI_SET_PAIR | HEEDI_SET_IMAGE | HEEDI_SET_LENGTH |
            HEEDI_SET_WHICH | HEEDI_SET_ATTENTION | HEEDI_SET_FILE |
            HEEDI_SET_PICTURE | HEEDI_SET_PLAN,
    .run = run,
};
