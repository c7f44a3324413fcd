/* heed render - pictures from result files. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli_method.h"
#include "cli_output.h"

typedef struct job {
    heedi_cli *c;
    heed_result **result; /* of each file */
    int64_t n_results;
    heed_figure_part *part; /* what is drawn */
    int64_t n, cap;
    heed_figure_options options;
} job;

/* ---- what there is to draw ----------------------------------------------- */

static const char prefix[] = "explanations/";

/* Whether the i-th of --method, if that is given, names the method of this
 * group, and none before it does. */
static bool is_chosen(const heedi_args *a, int64_t i, const char *group)
{
    const char *name = group + sizeof prefix - 1;
    for (int64_t k = 0; k < a->method.n && k <= i; k++) {
        const heed_method_info *m = heed_method_named(a->method.v[k]);
        if (strcmp(name, m ? m->name : a->method.v[k]) == 0)
            return k == i;
    }
    return a->method.n == 0;
}

static heed_status add(job *j, heed_figure_part part)
{
    if (j->n == j->cap) {
        size_t cap = 2 * (size_t)j->cap + 8;
        heed_figure_part *grown = realloc(j->part, cap * sizeof *grown);
        if (!grown)
            return heedi_cli_fail(j->c, HEED_ENOMEM, "too many explanations");
        j->part = grown;
        j->cap = (int64_t)cap;
    }
    j->part[j->n++] = part;
    return HEED_OK;
}

/* Every target of the i-th method in one file; with a figure, of those that it
 * fits, and one if it draws all targets. */
static heed_status add_method(job *j, const heed_result *r, int64_t method,
                              const heed_figure_info *f)
{
    const heed_array *a;
    for (int i = 0; (a = heed_result_at(r, i)); i++) {
        const char *group = a->var.group;
        if (strcmp(a->var.name, "relevance") != 0 ||
            strncmp(group, prefix, sizeof prefix - 1) != 0 ||
            !is_chosen(&j->c->args, method, group) ||
            (f && !heed_figure_fits(f, r, group)))
            continue;
        int64_t targets = a->var.nd == 2 ? a->var.len[0] : 1;
        if (f && f->all_targets)
            targets = 1;
        for (int64_t t = 0; t < targets; t++)
            HEEDI_TRY(add(j, (heed_figure_part){r, group, t}));
    }
    return HEED_OK;
}

/* Methods in the order of --method, or all in that of the file. */
static heed_status add_explanations(job *j, const heed_result *r,
                                    const heed_figure_info *f)
{
    const int64_t n = j->c->args.method.n;
    for (int64_t i = 0; i < (n > 0 ? n : 1); i++)
        HEEDI_TRY(add_method(j, r, i, f));
    return HEED_OK;
}

/* What `heed attention` makes: maps, or their profile. */
static const char *const made_of_maps[] = {"attention", "lag_share"};
enum { N_MADE = sizeof made_of_maps / sizeof *made_of_maps };

/* The first of them that a file has, or NULL. */
static const char *made(const heed_result *r)
{
    for (int i = 0; i < N_MADE; i++)
        if (heed_result_get(r, "attention", made_of_maps[i]))
            return made_of_maps[i];
    return NULL;
}

static bool draws_maps(const heed_figure_info *f)
{
    for (int i = 0; i < N_MADE; i++)
        if (strcmp(f->draws, made_of_maps[i]) == 0)
            return true;
    return false;
}

static heed_status add_maps(job *j, const heed_result *r)
{
    return made(r) ? add(j, (heed_figure_part){r, "attention", 0}) : HEED_OK;
}

/* Several maps are drawn as a grid unless one is named. */
static bool draws_grid(const heedi_args *a)
{
    return a->figure ? heedi_cli_listed("grid", ' ', a->figure)
                     : a->layers.n == 0 && a->heads.n == 0;
}

static heed_status no_define(void *ud, heed_ctx *ctx, const heed_var *v)
{
    (void)ud, (void)ctx, (void)v;
    return HEED_OK;
}

static heed_status no_write(void *ud, heed_ctx *ctx, const char *group,
                            const char *name, const int64_t *start,
                            const int64_t *count, const void *data)
{
    (void)ud, (void)ctx, (void)group, (void)name;
    (void)start, (void)count, (void)data;
    return HEED_OK;
}

static heed_status no_attr(void *ud, heed_ctx *ctx, const char *group,
                           const char *key, heed_attr value)
{
    (void)ud, (void)ctx, (void)group, (void)key, (void)value;
    return HEED_OK;
}

/* Is it the signal of a program that fails? */
static bool fails(int signal)
{
    return signal == SIGSEGV || signal == SIGBUS || signal == SIGABRT ||
           signal == SIGFPE || signal == SIGILL;
}

/* HDF5 1.10 trusts what a file says of the places of its texts, and a damaged
 * one ends the process. So a child reads it first. Where there is no child,
 * nobody does. */
static heed_status try_file(job *j, const char *path)
{
    heedi_cli *c = j->c;
    int status = 0;
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        const heed_sink drop = {NULL, no_define, no_write, no_attr};
        const struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        if (!freopen("/dev/null", "w", stderr))
            _exit(0);
        (void)!heed_read_into(c->ctx, path, &drop);
        _exit(0);
    }
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (child > 0 && WIFSIGNALED(status) && fails(WTERMSIG(status)))
        return heedi_cli_fail(c, HEED_EFORMAT,
                              "%s: the file is damaged: HDF5 cannot read it",
                              path);
    return HEED_OK;
}

/* For a grid maps are made small as they are read. */
static heed_status read_file(job *j, heed_result **out, const char *path)
{
    heedi_cli *c = j->c;
    heed_thumbnails t = {.options = &j->options};
    if (!heedi_cli_has_picture(&c->args) || !draws_grid(&c->args)) {
        HEEDI_LIB(c, heed_read(out, c->ctx, path));
        return HEED_OK;
    }
    HEEDI_LIB(c, heed_result_new(out, c->ctx));
    t.result = *out;
    const heed_sink s = heed_thumbnails_sink(&t);
    HEEDI_LIB(c, heed_read_into(c->ctx, path, &s));
    return HEED_OK;
}

static heed_status read_files(job *j)
{
    heedi_cli *c = j->c;
    const heedi_args *a = &c->args;
    HEEDI_TRY(heedi_cli_figure_options(c, &j->options));
    if (a->figure && draws_grid(a) && (a->layers.n > 0 || a->heads.n > 0))
        return heedi_cli_fail(c, HEED_EINVAL,
                              "--figure grid: draws all layers and heads of a "
                              "file, not --%s",
                              a->layers.n > 0 ? "layers" : "heads");
    j->result = heedi_cli_calloc(c, a->n_operands, sizeof *j->result);
    if (!j->result)
        return HEED_ENOMEM;
    while (j->n_results < a->n_operands) {
        const int64_t i = j->n_results;
        HEEDI_TRY(try_file(j, a->operands[i]));
        j->n_results++;
        HEEDI_TRY(read_file(j, &j->result[i], a->operands[i]));
    }
    return HEED_OK;
}

/* ---- drawing ------------------------------------------------------------- */

static bool several_maps(const heed_result *r)
{
    const heed_array *a = heed_result_get(r, "attention", "attention");
    return a && a->var.nd == 4 && a->var.len[0] * a->var.len[1] > 1;
}

/* A profile is one figure of all its layers. */
static heed_status check_profile(const job *j)
{
    const heedi_args *a = &j->c->args;
    if ((a->layers.n == 0 && a->heads.n == 0) ||
        strcmp(j->part->group, "attention") != 0 ||
        strcmp(made(j->part->r), "attention") == 0)
        return HEED_OK;
    return heedi_cli_fail(j->c, HEED_EINVAL,
                          "--%s: a profile is drawn of all layers and heads "
                          "that are in the file",
                          a->layers.n > 0 ? "layers" : "heads");
}

/* One explanation is a token heat, several are compared; maps, if that is all
 * there is, are matrices, and a profile is a plot. */
static heed_status choose(job *j, const heed_figure_info **out)
{
    heedi_cli *c = j->c;
    const heed_figure_info *f = NULL;
    *out = NULL;
    HEEDI_TRY(heedi_cli_figure(c, out));
    for (int64_t i = 0; i < j->n_results; i++)
        HEEDI_TRY(add_explanations(j, j->result[i], *out));
    if (j->n == 0 && c->args.method.n == 0 && (!*out || draws_maps(*out)))
        for (int64_t i = 0; i < j->n_results; i++)
            HEEDI_TRY(add_maps(j, j->result[i]));
    /* nothing that fits: drawing the first says what would */
    for (int64_t i = 0; *out && j->n == 0 && i < j->n_results; i++)
        HEEDI_TRY(add_explanations(j, j->result[i], NULL));
    for (int64_t i = 0;
         *out && j->n == 0 && c->args.method.n == 0 && i < j->n_results; i++)
        HEEDI_TRY(add_maps(j, j->result[i]));
    if (j->n == 0)
        return heedi_cli_fail(
            c, HEED_EINVAL, "%s: %s%s to draw", c->args.operand,
            c->args.method.n ? "no relevance of method " : "nothing",
            c->args.method.n ? c->args.method.v[0] : "");
    HEEDI_TRY(check_profile(j));
    if (*out)
        return HEED_OK;
    if (strcmp(j->part->group, "attention") == 0)
        *out = several_maps(j->part->r) && draws_grid(&c->args)
                   ? heedi_cli_figure_named("grid")
                   : heedi_cli_figure_of(made(j->part->r));
    else if (j->n == 1)
        *out = heedi_cli_figure_of("relevance");
    for (int i = 0; !*out && (f = heed_figure_at(i)); i++)
        if (f->several)
            *out = f;
    return *out ? HEED_OK
                : heedi_cli_fail(c, HEED_ENOTSUP,
                                 "pictures: this build was made without Cairo");
}

static heed_status draw(job *j)
{
    const heed_figure_info *f;
    HEEDI_TRY(choose(j, &f));
    if (f->several || j->n == 1)
        return heedi_cli_draw(j->c, f->name, j->part, j->n, -1, NULL, -1);
    for (int64_t i = 0; i < j->n; i++)
        HEEDI_TRY(heedi_cli_draw(j->c, f->name, &j->part[i], 1, i, NULL, -1));
    return HEED_OK;
}

/* On a terminal, one below the other. */
static heed_status show(job *j)
{
    heedi_cli *c = j->c;
    heed_figure_options o;
    HEEDI_TRY(heedi_cli_figure_options(c, &o));
    for (int64_t i = 0; i < j->n_results; i++)
        HEEDI_TRY(add_explanations(j, j->result[i], NULL));
    for (int64_t i = 0; i < j->n; i++) {
        char *text;
        o.target = j->part[i].target;
        HEEDI_LIB(c,
                  heed_terminal_heat(&text, c->ctx, j->part[i].r,
                                     j->part[i].group, heedi_cli_width(), &o));
        fputs(text, stdout);
        heed_text_free(c->ctx, text);
    }
    return HEED_OK;
}

static heed_status run_all(job *j)
{
    heedi_cli *c = j->c;
    if (!c->args.operand)
        return heedi_cli_fail(c, HEED_EINVAL,
                              "no result file: `heed render FILE...`");
    if (!heedi_cli_has_picture(&c->args) && !heedi_cli_color(c))
        return heedi_cli_fail(c, HEED_EINVAL,
                              "no picture: --png, --svg or --pdf names it");
    HEEDI_TRY(heedi_cli_outputs_check(c, 1));
    heed_quiet_files();
    HEEDI_TRY(read_files(j));
    return heedi_cli_has_picture(&c->args) ? draw(j) : show(j);
}

static heed_status run(heedi_cli *c)
{
    job j = {.c = c};
    heed_status st = run_all(&j);
    free(j.part);
    for (int64_t i = 0; i < j.n_results; i++)
        heed_result_free(j.result[i]);
    free(j.result);
    return st;
}

const heedi_command heedi_command_render = {
    .name = "render",
    .summary = "pictures from result files; several are compared in one",
    .operand = "FILE...",
    .sets = HEEDI_SET_COMMON | HEEDI_SET_RENDER | HEEDI_SET_PICTURE,
    .run = run,
};
