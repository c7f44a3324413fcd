/* heed attention - attention maps, to a file or one of them to stdout. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli_input.h"
#include "cli_method.h"
#include "cli_output.h"
#include "cli_plan.h"

typedef struct job {
    heedi_cli *c;
    const heed_method_info *method;
    heed_setting settings[8];
    heedi_cli_texts texts;
    heedi_cli_input in;
    heedi_cli_output out;
    bool table;
    bool keep; /* a table, a document or a picture is made of the result */
    uint64_t program;      /* before files were opened */
    bool several, refused; /* maps to be made; not with this output */
    heed_figure_options options;
    heed_thumbnails thumbnails;
} job;

static bool weighted(const heedi_args *a)
{
    return a->reduce && heedi_cli_listed("weighted", ' ', a->reduce);
}

/* Contributions to a target are a method of their own. */
static heed_status choose_method(job *j)
{
    static const char *const kinds[] = {"", "softmax", "core", "block", "core"};
    static const char *const skips[] = {"", "separate", "fold", "drop"};
    heedi_cli *c = j->c;
    const heedi_args *a = &c->args;
    const bool aimed = a->target || a->target_token || a->target_id >= 0 ||
                       a->foil_token || a->foil_id >= 0 || a->at.n != 0 ||
                       a->center_logits;
    int n = 0;
    j->method = heed_method_named(weighted(a)  ? "attention_contribution"
                                  : a->profile ? "attention_profile"
                                               : "attention");
    if (a->profile && weighted(a))
        return heedi_cli_fail(c, HEED_EINVAL,
                              "--profile: not with --reduce weighted");
    if (!a->profile && (a->needle || a->order || a->horizon || a->horizon_rows))
        return heedi_cli_fail(c, HEED_EINVAL, "--%s: only with --profile",
                              a->needle    ? "needle"
                              : a->order   ? "order"
                              : a->horizon ? "horizon"
                                           : "horizon-rows");
    if (a->horizon)
        j->settings[n++] = (heed_setting){"horizon", a->horizon};
    if (a->horizon_rows)
        j->settings[n++] = (heed_setting){"horizon_rows", "on"};
    if (a->needle)
        j->settings[n++] = (heed_setting){"needle", a->needle};
    if (a->order == 2)
        j->settings[n++] = (heed_setting){"order", "mean_of_ratios"};
    if (a->kind)
        j->settings[n++] = (heed_setting){"kind", kinds[a->kind]};
    if (a->skip)
        j->settings[n++] = (heed_setting){"skip", skips[a->skip]};
    if (a->variant == 2)
        j->settings[n++] = (heed_setting){"variant", "raw"};
    if (aimed && !weighted(a))
        return heedi_cli_fail(c, HEED_EINVAL,
                              "attention: a target is for --reduce weighted");
    return heedi_cli_target_check(c);
}

/* ---- one map or several -------------------------------------------------- */

/* Only pictures show several; the figure `attention` shows one. */
static bool needs_one(const job *j)
{
    const heedi_args *a = &j->c->args;
    return j->table || a->json ||
           (heedi_cli_has_picture(a) && a->figure &&
            heedi_cli_listed("attention", ' ', a->figure));
}

static heed_status not_one(const job *j)
{
    const heedi_args *a = &j->c->args;
    return heedi_cli_fail(j->c, HEED_EINVAL,
                          "attention: %s shows one matrix, which --layers N "
                          "and --heads N or --channels N choose; -o FILE "
                          "stores all",
                          j->table  ? "a table"
                          : a->json ? "--json"
                                    : "--figure attention");
}

/* How many maps there are is known once the method has checked its arguments,
 * and before it makes the first. */
static heed_status define(void *ud, heed_ctx *ctx, const heed_var *v)
{
    job *j = ud;
    const heed_sink s = heedi_cli_output_sink(&j->out);
    if (strcmp(v->group, "attention") == 0 &&
        strcmp(v->name, "attention") == 0 && v->nd == 4)
        j->several = v->len[0] * v->len[1] > 1;
    j->refused = j->several && needs_one(j);
    return j->refused ? not_one(j) : s.define(s.ud, ctx, v);
}

static heed_status write_slab(void *ud, heed_ctx *ctx, const char *group,
                              const char *name, const int64_t *start,
                              const int64_t *count, const void *data)
{
    job *j = ud;
    const heed_sink s = heedi_cli_output_sink(&j->out);
    return s.write(s.ud, ctx, group, name, start, count, data);
}

static heed_status attr(void *ud, heed_ctx *ctx, const char *group,
                        const char *key, heed_attr value)
{
    job *j = ud;
    const heed_sink s = heedi_cli_output_sink(&j->out);
    return s.attr(s.ud, ctx, group, key, value);
}

/* ---- tables -------------------------------------------------------------- */

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
    const char *index = heed_result_str(r, "attention", "index");
    const bool one = heed_result_num(r, "attention", "n_reduced") > 1;
    printf("layer\t%s\tquery\tkey\tweight\n", index ? index : a->var.dim[1]);
    for (int64_t i = 0; i < n[0] * n[1] * n[2] * n[3]; i++) {
        int64_t key = i % n[3], query = i / n[3] % n[2];
        double w = a->var.type == HEED_F64
                       ? ((const double *)a->data)[i]
                       : (double)((const float *)a->data)[i];
        printf("%lld\t",
               (long long)coordinate(r, "layer", i / (n[1] * n[2] * n[3])));
        if (one) /* of several, by the name of the reduction */
            printf("%s\t", heed_result_str(r, "attention", "reduction"));
        else
            printf("%lld\t", (long long)coordinate(r, a->var.dim[1],
                                                   i / (n[2] * n[3]) % n[1]));
        printf("%lld\t%lld\t", (long long)coordinate(r, "query", query),
               (long long)key);
        heedi_cli_print_number(stdout, w, '\n');
    }
    return HEED_OK;
}

/* Of every layer, what is said in one number. */
static const struct {
    const char *name;
    bool states; /* of layers that have any, or where something decays */
} measures[] = {
    {"mean_distance", false},        {"last_distance", false},
    {"mean_entropy", false},         {"mean_first_mass", false},
    {"decay_length", true},          {"decay_length_r2", true},
    {"decay_power", true},           {"decay_power_r2", true},
    {"horizon_median", true},        {"horizon_mean", true},
    {"horizon_max", true},           {"horizon_open", true},
    {"reconstruction_error", false},
};

static void print_measure(const heed_attr *a, bool states, int64_t i, char end)
{
    const double x = a ? ((const double *)a->data)[i] : (double)NAN;
    if (states && isnan(x))
        printf("-%c", end);
    else
        heedi_cli_print_number(stdout, x, end);
}

static heed_status print_profile(job *j)
{
    enum { N = sizeof measures / sizeof *measures };
    const heed_result *r = j->out.result;
    const heed_attr *a[N];
    printf("layer");
    for (int k = 0; k < N; k++) {
        a[k] = heed_result_attr(r, "attention", measures[k].name);
        if (!a[k] && !measures[k].states)
            return heedi_cli_fail(j->c, HEED_EINTERNAL,
                                  "attention: the method wrote no %s",
                                  measures[k].name);
        printf("\t%s", measures[k].name);
    }
    putchar('\n');
    for (int64_t i = 0; i < a[0]->n; i++) {
        printf("%lld\t", (long long)coordinate(r, "layer", i));
        for (int k = 0; k < N; k++)
            print_measure(a[k], measures[k].states, i, k + 1 < N ? '\t' : '\n');
    }
    return HEED_OK;
}

static heed_status prepare(job *j)
{
    heedi_cli *c = j->c;
    const heedi_args *a = &c->args;
    HEEDI_TRY(heedi_cli_texts_read(c, &j->texts));
    HEEDI_TRY(heedi_cli_figure_options(c, &j->options));
    HEEDI_TRY(choose_method(j));
    if (!a->dry_run)
        HEEDI_TRY(heedi_cli_outputs_check(c, 1));
    j->table = !a->output && !a->json && !heedi_cli_has_picture(a);
    j->keep = j->table || a->json || heedi_cli_has_picture(a);
    HEEDI_TRY(heedi_cli_load_model(c));
    heedi_cli_load_tokenizer(c);
    return HEED_OK;
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

/* Are maps too small to count kept, as thumbnails or not at all? */
static bool keeps_little(const job *j)
{
    const int64_t layers = j->c->args.layers.n;
    return !j->keep || (!needs_one(j) && layers != 1);
}

/* Does everything take tiles as they come? */
static int streams(const job *j)
{
    const heedi_args *a = &j->c->args;
    if (!keeps_little(j))
        return 0;
    if (!a->output)
        return j->keep;
    const heed_format_info *f = heed_format_of(a->output, a->format);
    return f && f->streams;
}

static heed_request request(const job *j, const heed_input *input)
{
    const heedi_args *a = &j->c->args;
    return (heed_request){
        .model = j->c->model,
        .tokenizer = j->c->tokenizer,
        .method = j->method->name,
        .settings = j->settings,
        .input = input,
        .n_inputs = 1,
        .reduce = weighted(a) ? NULL : a->reduce,
        .layers = a->layers.v,
        .n_layers = a->layers.n,
        .heads = a->heads.v,
        .n_heads = a->heads.n,
        .channels = a->channels.v,
        .n_channels = a->channels.n,
        .rows = a->rows.v,
        .n_rows = a->rows.n,
        .row_step = a->row_step,
        .center_logits = a->center_logits,
        .streams = streams(j),
        .program = j->program,
        .files = heedi_cli_output_memory(j->c, 1),
    };
}

static heed_status pictures(job *j)
{
    heedi_cli *c = j->c;
    const heed_figure_part part = {j->out.result, "attention", 0};
    if (j->several && !c->args.figure)
        return heedi_cli_draw(c, "grid", &part, 1, -1, NULL, -1);
    return heedi_cli_pictures(c, j->out.result, "attention",
                              c->args.profile ? "lag_share" : "attention", -1,
                              NULL, -1);
}

static heed_status show(job *j)
{
    heedi_cli *c = j->c;
    if (heedi_cli_has_picture(&c->args))
        HEEDI_TRY(pictures(j));
    if (c->args.json)
        return heedi_cli_json(c, j->out.result, false);
    if (!j->table)
        return HEED_OK;
    return c->args.profile ? print_profile(j) : print_table(j);
}

/* Maps are kept as small as they will be drawn. */
static heed_status open_output(job *j)
{
    HEEDI_TRY(heedi_cli_output_open(j->c, &j->out, 0, 1, j->keep));
    if (!j->keep || needs_one(j))
        return HEED_OK;
    j->thumbnails = (heed_thumbnails){j->out.result, &j->options};
    j->out.to[0] = heed_thumbnails_sink(&j->thumbnails);
    return HEED_OK;
}

static heed_status run_all(job *j)
{
    heedi_cli *c = j->c;
    HEEDI_TRY(prepare(j));
    HEEDI_TRY(heedi_cli_prompt(c, &j->texts, 0, 0, &j->in));
    j->program = heed_plan_program(c->model);
    if (!c->args.dry_run)
        HEEDI_TRY(open_output(j));
    if (weighted(&c->args))
        HEEDI_TRY(heedi_cli_targets(c, &j->in));
    const heed_input input = {.tokens = &j->in.tokens,
                              .target = j->in.target,
                              .n_targets = j->in.n_targets,
                              .pixels = j->in.pixels};
    const heed_request q = request(j, &input);
    if (c->args.dry_run) {
        heed_plan p;
        HEEDI_LIB(c, heed_plan_of(c->ctx, &q, &p));
        return show_plan(c, &p);
    }
    const heed_sink s = {j, define, write_slab, attr};
    HEEDI_TRY(heedi_cli_provenance(c, &s, &j->in.tokens));
    const heed_status st = heed_attribute(c->ctx, &q, &s);
    if (j->refused)
        return st;
    HEEDI_LIB(c, st);
    heedi_cli_progress_end();
    HEEDI_TRY(heedi_cli_output_close(c, &j->out));
    return show(j);
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
    .summary = "attention maps of layers, heads and channels",
    .operand = "[-]",
    .sets = HEEDI_SET_COMMON | HEEDI_SET_MODEL | HEEDI_SET_TEXT |
            HEEDI_SET_PAIR | HEEDI_SET_IMAGE | HEEDI_SET_LENGTH |
            HEEDI_SET_REDUCE | HEEDI_SET_WHICH | HEEDI_SET_ATTENTION |
            HEEDI_SET_TARGET | HEEDI_SET_AT | HEEDI_SET_FILE |
            HEEDI_SET_PICTURE | HEEDI_SET_PLAN,
    .run = run,
};
