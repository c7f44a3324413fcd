/* heed attribute - one or several methods on one or several inputs. */
#include <stdlib.h>
#include <string.h>

#include "cli_corpus.h"
#include "cli_input.h"
#include "cli_method.h"
#include "cli_output.h"
#include "cli_plan.h"

typedef struct job {
    heedi_cli *c;
    heedi_cli_texts texts;
    heedi_cli_methods methods;
    heedi_cli_corpus corpus;
    heedi_cli_columns columns;
    bool headed; /* the line of column names is printed */
    heed_figure_options figure;
    char reduce[32];
    const char **keep;      /* of --keep, and what --figure draws */
    heed_plan *plan;        /* of each method, the greatest one */
    uint64_t corpus_memory; /* that the file of a data set takes already */
    uint64_t program;       /* before files were opened; 0: not known yet */
    heed_status late; /* of a residual that is too large: all was written */
    char late_why[1024];
} job;

/* Inputs that run together. */
typedef struct batch {
    int64_t first, n;
    heedi_cli_input *in;
    heedi_cli_output *out;
    heed_input *input;
    heed_sink *sink;
} batch;

/* ---- before any model is loaded ---- */

static heed_status check_group(job *j)
{
    const char *g = j->c->args.group;
    if (!g || heedi_cli_listed(g, ' ', "token"))
        return HEED_OK;
    if (heedi_cli_listed(g, ' ', "word")) {
        j->columns.word = true;
        return HEED_OK;
    }
    if (heedi_cli_listed("char sentence line", ' ', g))
        return heedi_cli_fail(j->c, HEED_ENOTSUP,
                              "--group %s: not in this version", g);
    return heedi_cli_fail(j->c, HEED_EINVAL,
                          "--group '%s': must be token or word", g);
}

static heed_status check_reduce(job *j)
{
    const char *r = j->c->args.reduce;
    if (!r)
        return HEED_OK;
    if (heedi_cli_listed(r, ' ', "vnorm"))
        r = "l2";
    if (strlen(r) >= sizeof j->reduce)
        return heedi_cli_fail(j->c, HEED_EINVAL,
                              "--reduce '%.40s...': no such reduction", r);
    for (size_t i = 0; r[i]; i++)
        j->reduce[i] = r[i] == '-'                  ? '_'
                       : r[i] >= 'A' && r[i] <= 'Z' ? (char)(r[i] + 32)
                                                    : r[i];
    return HEED_OK;
}

static heed_status list_kept(job *j)
{
    const heedi_names *k = &j->c->args.keep;
    const heed_figure_info *f;
    int64_t n = 0;
    HEEDI_TRY(heedi_cli_figure(j->c, &f));
    bool more = f && f->keep;
    j->keep = heedi_cli_calloc(j->c, k->n + 2, sizeof *j->keep);
    if (!j->keep)
        return HEED_ENOMEM;
    for (; n < k->n; n++) {
        j->keep[n] = k->v[n];
        more = more && !heedi_cli_listed(f->keep, ' ', k->v[n]);
    }
    if (more)
        j->keep[n] = f->keep;
    return HEED_OK;
}

/* Maps have a command of their own. */
static heed_status check_methods(const job *j)
{
    for (int64_t m = 0; m < j->methods.n; m++)
        if (j->methods.v[m].info->gives_maps)
            return heedi_cli_fail(j->c, HEED_EINVAL,
                                  "method %s: gives attention maps and no "
                                  "relevance of tokens; `heed attention` makes "
                                  "them",
                                  j->methods.v[m].info->name);
    return HEED_OK;
}

static heed_status open_corpus(job *j)
{
    heedi_cli *c = j->c;
    const uint64_t before = heed_plan_program(c->model);
    HEEDI_TRY(heedi_cli_corpus_open(c, j->texts.n, &j->corpus));
    const uint64_t after = heed_plan_program(c->model);
    j->corpus_memory = after > before ? after - before : 0;
    return HEED_OK;
}

static heed_status prepare(job *j)
{
    heedi_cli *c = j->c;
    const heedi_args *a = &c->args;
    HEEDI_TRY(heedi_cli_texts_read(c, &j->texts));
    HEEDI_TRY(heedi_cli_target_check(c));
    HEEDI_TRY(check_group(j));
    HEEDI_TRY(check_reduce(j));
    HEEDI_TRY(heedi_cli_figure_options(c, &j->figure));
    HEEDI_TRY(list_kept(j));
    HEEDI_TRY(heedi_cli_methods_choose(c, &j->methods));
    HEEDI_TRY(check_methods(j));
    if (!a->dry_run)
        HEEDI_TRY(heedi_cli_outputs_check(c, j->texts.n));
    HEEDI_TRY(heedi_cli_load_model(c));
    heedi_cli_load_tokenizer(c);
    if (j->methods.n == 0)
        HEEDI_TRY(heedi_cli_methods_choose(c, &j->methods));
    j->columns.input = a->dataset != NULL;
    j->columns.method = j->methods.n > 1;
    j->columns.target =
        heedi_cli_has_continuation(a) || a->at.n < 0 || a->at.n > 1;
    j->plan = heedi_cli_calloc(c, j->methods.n, sizeof *j->plan);
    if (!j->plan)
        return HEED_ENOMEM;
    return heedi_cli_is_corpus(a) && !a->dry_run ? open_corpus(j) : HEED_OK;
}

/* ---- one batch ---- */

static heed_status batch_new(job *j, batch *b, int64_t first, int64_t n)
{
    heedi_cli *c = j->c;
    *b = (batch){
        .first = first,
        .n = n,
        .in = heedi_cli_calloc(c, n, sizeof *b->in),
        .out = heedi_cli_calloc(c, n, sizeof *b->out),
        .input = heedi_cli_calloc(c, n, sizeof *b->input),
        .sink = heedi_cli_calloc(c, n, sizeof *b->sink),
    };
    return b->in && b->out && b->input && b->sink ? HEED_OK : HEED_ENOMEM;
}

static void batch_free(heedi_cli *c, batch *b)
{
    for (int64_t i = 0; i < b->n; i++) {
        if (b->out)
            heedi_cli_output_free(&b->out[i]);
        if (b->in)
            heedi_cli_input_free(c, &b->in[i]);
    }
    free(b->in);
    free(b->out);
    free(b->input);
    free(b->sink);
}

/* Files are opened first: what cannot be written must not be computed. What
 * the process holds is looked up once before, so that the plan of a run is that
 * of a dry run. */
static heed_status batch_fill(job *j, batch *b)
{
    heedi_cli *c = j->c;
    int64_t room;
    HEEDI_TRY(heedi_cli_room(c, &room));
    for (int64_t i = 0; i < b->n; i++)
        HEEDI_TRY(
            heedi_cli_prompt(c, &j->texts, b->first + i, room, &b->in[i]));
    if (j->program == 0)
        j->program = heed_plan_program(c->model) - j->corpus_memory;
    if (!c->args.dry_run)
        for (int64_t i = 0; i < b->n; i++)
            HEEDI_TRY(heedi_cli_output_open(c, &b->out[i], b->first + i,
                                            j->texts.n, true));
    for (int64_t i = 0; i < b->n; i++) {
        heedi_cli_input *in = &b->in[i];
        HEEDI_TRY(heedi_cli_continue(c, in));
        HEEDI_TRY(heedi_cli_targets(c, in));
        b->input[i] = (heed_input){.tokens = &in->tokens,
                                   .target = in->target,
                                   .n_targets = in->n_targets,
                                   .pixels = in->pixels};
        b->sink[i] = heedi_cli_output_sink(&b->out[i]);
    }
    return HEED_OK;
}

static heed_request request(const job *j, const batch *b, int64_t m)
{
    const heedi_args *a = &j->c->args;
    return (heed_request){
        .model = j->c->model,
        .tokenizer = j->c->tokenizer,
        .method = j->methods.v[m].info->name,
        .settings = j->methods.v[m].settings,
        .input = b->input,
        .n_inputs = b->n,
        .reduce = *j->reduce ? j->reduce : NULL,
        /* files and documents hold the whole account; --ledger prints it */
        .ledger = a->ledger || a->output || a->json,
        .tol = a->tol,
        .keep = j->keep,
        .rules = (const char *const *)a->rule.v,
        .position_by = (const char *const *)a->position_by.v,
        .seed = (uint64_t)a->seed,
        .leaf = a->leaf,
        .center_logits = a->center_logits,
        .top = a->top,
        .program = j->program,
        .files = heedi_cli_output_memory(j->c, b->n),
    };
}

static void group_of(char out[128], const heed_method_info *m)
{
    snprintf(out, 128, "explanations/%s", m->name);
}

/* Whether a method got as far as its balance for every input. */
static bool all_written(const batch *b, const heed_method_info *m)
{
    char group[128];
    group_of(group, m);
    for (int64_t i = 0; i < b->n; i++)
        if (!heed_result_attr(b->out[i].result, group, "conservation_residual"))
            return false;
    return true;
}

static heed_status run_methods(job *j, batch *b)
{
    heedi_cli *c = j->c;
    for (int64_t m = 0; m < j->methods.n; m++) {
        const heed_method_info *info = j->methods.v[m].info;
        heed_request q = request(j, b, m);
        heed_status st = heed_attribute(c->ctx, &q, b->sink);
        if (st == HEED_ENUMERIC && all_written(b, info)) {
            if (j->late == HEED_OK) {
                heedi_cli_lib(c, st);
                memcpy(j->late_why, c->why, sizeof j->late_why);
            }
            j->late = st;
        } else if (st != HEED_OK) {
            return heedi_cli_lib(c, st);
        }
        for (int64_t i = 0; i < b->n; i++)
            b->out[i].again = true;
    }
    return HEED_OK;
}

static heed_status plan_methods(job *j, const batch *b)
{
    for (int64_t m = 0; m < j->methods.n; m++) {
        heed_plan p;
        heed_request q = request(j, b, m);
        HEEDI_LIB(j->c, heed_plan_of(j->c->ctx, &q, &p));
        if (p.peak >= j->plan[m].peak)
            j->plan[m] = p;
    }
    return HEED_OK;
}

/* ---- what is shown ---- */

static heed_status show_heat(job *j, const heed_result *r, const char *group,
                             const char *method, int64_t number,
                             const heedi_cli_input *in)
{
    heed_figure_options o = j->figure;
    for (int64_t t = 0; t < in->n_targets; t++) {
        char *text;
        o.target = t;
        if (j->columns.input)
            printf("input %lld\n", (long long)number);
        if (j->columns.method)
            printf("%s\n", method);
        HEEDI_LIB(j->c, heed_terminal_heat(&text, j->c->ctx, r, group,
                                           heedi_cli_width(), &o));
        fputs(text, stdout);
        heed_text_free(j->c->ctx, text);
    }
    return HEED_OK;
}

static void show_rows(job *j, const heed_result *r, const char *group,
                      const char *method, int64_t i, const heedi_cli_input *in)
{
    if (!j->headed)
        heedi_cli_relevance_head(&j->columns);
    j->headed = true;
    heedi_cli_relevance_rows(&j->columns, r, group, method, i, in);
}

/* With several methods, a figure that another one of them has is no error. */
static heed_status skips_figure(const job *j, const batch *b, int64_t i,
                                const heed_result *r, const char *group,
                                bool *skip)
{
    const heed_figure_info *f;
    HEEDI_TRY(heedi_cli_figure(j->c, &f));
    *skip = false;
    if (!f || heed_figure_fits(f, r, group))
        return HEED_OK;
    for (int64_t m = 0; m < j->methods.n; m++) {
        char other[128];
        group_of(other, j->methods.v[m].info);
        *skip = *skip || heed_figure_fits(f, b->out[i].result, other);
    }
    if (*skip)
        heedi_cli_warn(j->c, "figure %s: not of %s", f->name, group);
    return HEED_OK;
}

/* Do several methods stand in one picture? */
static heed_status side_by_side(const job *j, const heed_figure_info **out)
{
    *out = NULL;
    if (!heedi_cli_has_picture(&j->c->args) || j->methods.n < 2)
        return HEED_OK;
    HEEDI_TRY(heedi_cli_figure(j->c, out));
    if (*out && !(*out)->several)
        *out = NULL;
    return HEED_OK;
}

/* A picture of all methods for each target. */
static heed_status show_together(job *j, const batch *b, int64_t i,
                                 const heed_figure_info *f)
{
    heedi_cli *c = j->c;
    const heed_result *r = b->out[i].result;
    const int64_t targets = b->in[i].n_targets;
    const int64_t number = j->texts.n > 1 ? b->first + i : -1;
    heed_figure_part *part = heedi_cli_calloc(c, j->methods.n, sizeof *part);
    char(*group)[128] = heedi_cli_calloc(c, j->methods.n, sizeof *group);
    heed_status st = part && group ? HEED_OK : HEED_ENOMEM;
    for (int64_t t = 0; st == HEED_OK && t < targets; t++) {
        int64_t n = 0;
        for (int64_t m = 0; m < j->methods.n; m++) {
            group_of(group[m], j->methods.v[m].info);
            if (heed_figure_fits(f, r, group[m]))
                part[n++] = (heed_figure_part){r, group[m], t};
        }
        st = heedi_cli_draw(c, f->name, part, n, number, NULL,
                            targets > 1 ? t : -1);
    }
    free(part);
    free(group);
    return st;
}

static heed_status show_method(job *j, const batch *b, int64_t i, int64_t m)
{
    heedi_cli *c = j->c;
    const heed_method_info *info = j->methods.v[m].info;
    const heed_result *r = b->out[i].result;
    const heedi_cli_input *in = &b->in[i];
    int64_t number = j->texts.n > 1 ? b->first + i : -1;
    bool table =
        !c->args.json && !(c->args.output && strcmp(c->args.output, "-") == 0);
    char group[128];
    group_of(group, info);
    if (table && heedi_cli_color(c) && !in->pixels && c->args.top == 0)
        HEEDI_TRY(show_heat(j, r, group, info->name, b->first + i, in));
    else if (table && c->args.top > 0)
        heedi_cli_top(&j->columns, r, group, info->name, number);
    else if (table && !c->args.ledger)
        show_rows(j, r, group, info->name, b->first + i, in);
    if (table && c->args.ledger)
        heedi_cli_ledger(r, group);
    heedi_cli_summary(c, r, group, info->name, in->n_targets);
    const heed_figure_info *together;
    bool skip;
    HEEDI_TRY(side_by_side(j, &together));
    if (together)
        return HEED_OK;
    HEEDI_TRY(skips_figure(j, b, i, r, group, &skip));
    for (int64_t t = 0;
         heedi_cli_has_picture(&c->args) && !skip && t < in->n_targets; t++)
        HEEDI_TRY(heedi_cli_pictures(
            c, r, group,
            heed_result_get(r, group, "pixel_relevance") ? "pixel_relevance"
                                                         : "relevance",
            number, j->methods.n > 1 ? info->name : NULL,
            in->n_targets > 1 ? t : -1));
    return HEED_OK;
}

static heed_status run_batch(job *j, batch *b)
{
    heedi_cli *c = j->c;
    const heed_figure_info *together;
    HEEDI_TRY(batch_fill(j, b));
    if (c->args.dry_run)
        return plan_methods(j, b);
    for (int64_t i = 0; i < b->n; i++)
        HEEDI_TRY(heedi_cli_provenance(c, &b->sink[i], &b->in[i].tokens));
    HEEDI_TRY(run_methods(j, b));
    heedi_cli_progress_end();
    for (int64_t i = 0; i < b->n; i++) {
        if (j->corpus.file)
            HEEDI_TRY(heedi_cli_corpus_add(c, &j->corpus, b->out[i].result));
        HEEDI_TRY(heedi_cli_output_close(c, &b->out[i]));
        for (int64_t m = 0; m < j->methods.n; m++)
            HEEDI_TRY(show_method(j, b, i, m));
        HEEDI_TRY(side_by_side(j, &together));
        if (together)
            HEEDI_TRY(show_together(j, b, i, together));
        if (c->args.json)
            HEEDI_TRY(
                heedi_cli_json(c, b->out[i].result, c->args.dataset != NULL));
    }
    return HEED_OK;
}

static heed_status show_plans(job *j)
{
    heedi_cli *c = j->c;
    if (!c->args.json) {
        puts(j->methods.n > 1 ? "method\tpart\tbytes\tsize"
                              : "part\tbytes\tsize");
        for (int64_t m = 0; m < j->methods.n; m++) {
            char prefix[128] = "";
            if (j->methods.n > 1)
                snprintf(prefix, sizeof prefix, "%s\t",
                         j->methods.v[m].info->name);
            heedi_cli_plan_print(prefix, &j->plan[m]);
        }
        return HEED_OK;
    }
    json_t *doc =
               json_pack("{s:s, s:i}", "format", "heed", "format_version", 1),
           *plans = json_array();
    for (int64_t m = 0; m < j->methods.n; m++) {
        json_t *one = json_object();
        json_object_set_new(one, "method",
                            json_string(j->methods.v[m].info->name));
        json_object_set_new(one, "plan", heedi_cli_plan_json(&j->plan[m]));
        json_array_append_new(plans, one);
    }
    json_object_set_new(doc, "plans", plans);
    return heedi_cli_json_print(c, doc);
}

static heed_status run_all(job *j)
{
    heedi_cli *c = j->c;
    HEEDI_TRY(prepare(j));
    for (int64_t i = j->corpus.done, n; i < j->texts.n; i += n) {
        batch b;
        if (heedi_cli_interrupted())
            return heedi_cli_fail(c, HEED_ECANCEL, "interrupted");
        n = j->texts.n - i < c->args.batch ? j->texts.n - i : c->args.batch;
        heed_status st = batch_new(j, &b, i, n);
        if (st == HEED_OK)
            st = run_batch(j, &b);
        batch_free(c, &b);
        HEEDI_TRY(st);
    }
    if (c->args.dry_run)
        return show_plans(j);
    if (j->late != HEED_OK)
        return heedi_cli_fail(c, j->late, "%s", j->late_why);
    return HEED_OK;
}

static heed_status run(heedi_cli *c)
{
    job j = {.c = c};
    heed_status st = run_all(&j);
    heedi_cli_corpus_close(&j.corpus);
    free(j.plan);
    free(j.keep);
    heedi_cli_methods_free(&j.methods);
    heedi_cli_texts_free(&j.texts);
    return st;
}

const heedi_command heedi_command_attribute = {
    .name = "attribute",
    .summary = "explain predictions with one or several methods",
    .operand = "[-]",
    .sets = HEEDI_SET_COMMON | HEEDI_SET_MODEL | HEEDI_SET_TEXT |
            HEEDI_SET_PAIR | HEEDI_SET_IMAGE | HEEDI_SET_MANY |
            HEEDI_SET_LENGTH | HEEDI_SET_METHOD | HEEDI_SET_CONTINUE |
            HEEDI_SET_AT | HEEDI_SET_TARGET | HEEDI_SET_REDUCE |
            HEEDI_SET_STORE | HEEDI_SET_TOP | HEEDI_SET_FILE |
            HEEDI_SET_PICTURE | HEEDI_SET_PLAN,
    .run = run,
};
