/* Result files: named, checked and opened before the work, finished after. */
#include "cli_output.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli_corpus.h"

/* ---- one sink for memory and file ---- */

static bool skipped(const heedi_cli_output *o, const char *group)
{
    return o->again && strcmp(group, "input") == 0;
}

static heed_status define(void *ud, heed_ctx *ctx, const heed_var *var)
{
    const heedi_cli_output *o = ud;
    for (int i = 0; i < o->n && !skipped(o, var->group); i++)
        HEEDI_TRY(o->to[i].define(o->to[i].ud, ctx, var));
    return HEED_OK;
}

static heed_status write_slab(void *ud, heed_ctx *ctx, const char *group,
                              const char *name, const int64_t *start,
                              const int64_t *count, const void *data)
{
    const heedi_cli_output *o = ud;
    for (int i = 0; i < o->n && !skipped(o, group); i++)
        HEEDI_TRY(
            o->to[i].write(o->to[i].ud, ctx, group, name, start, count, data));
    return HEED_OK;
}

static heed_status attr(void *ud, heed_ctx *ctx, const char *group,
                        const char *key, heed_attr value)
{
    const heedi_cli_output *o = ud;
    for (int i = 0; i < o->n && !skipped(o, group); i++)
        HEEDI_TRY(o->to[i].attr(o->to[i].ud, ctx, group, key, value));
    return HEED_OK;
}

heed_sink heedi_cli_output_sink(heedi_cli_output *o)
{
    return (heed_sink){o, define, write_slab, attr};
}

/* ---- names ---- */

char *heedi_cli_path(heedi_cli *c, const char *path, int64_t index,
                     const char *word, int64_t target)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    const char *dot = strrchr(base, '.');
    size_t stem = dot && dot > base ? (size_t)(dot - path) : strlen(path);
    size_t size = strlen(path) + (word ? strlen(word) : 0) + 64;
    char *out = heedi_cli_calloc(c, (int64_t)size, 1), a[24] = "", b[24] = "";
    if (!out)
        return NULL;
    if (index >= 0)
        snprintf(a, sizeof a, "_%lld", (long long)index);
    if (target >= 0)
        snprintf(b, sizeof b, "_%lld", (long long)target);
    snprintf(out, size, "%.*s%s%s%s%s%s", (int)stem, path, a, word ? "_" : "",
             word ? word : "", b, path + stem);
    return out;
}

static heed_status check_absent(heedi_cli *c, const char *path)
{
    if (c->args.force || access(path, F_OK) != 0)
        return HEED_OK;
    return heedi_cli_fail(c, HEED_EOUTPUT, "%s: exists; --force replaces it",
                          path);
}

static heed_status check_picture(heedi_cli *c, const char *flag,
                                 const char *path, const char *extension)
{
    if (!path)
        return HEED_OK;
    size_t n = strlen(path), e = extension ? strlen(extension) : 0;
    if (n == 0)
        return heedi_cli_fail(c, HEED_EINVAL, "--%s '': the path is empty",
                              flag);
    if (e && (n <= e || !heedi_cli_same_name(path + n - e, extension, e)))
        return heedi_cli_fail(c, HEED_EINVAL, "--%s '%s': must end in %s", flag,
                              path, extension);
    static const char *const kinds[] = {".png", ".svg", ".pdf"};
    bool known = e != 0;
    for (int i = 0; i < 3; i++)
        known |= n > 4 && heedi_cli_same_name(path + n - 4, kinds[i], 4);
    if (!known)
        return heedi_cli_fail(c, HEED_ENOTSUP,
                              "--%s '%s': a picture is .png, .svg or .pdf",
                              flag, path);
    return check_absent(c, path);
}

/* A folder that is missing is found before the work, not after it. */
static heed_status check_folder(heedi_cli *c, const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    if (!slash || slash == path)
        return HEED_OK;
    char *folder = strndup(path, (size_t)(slash - path));
    bool bad = folder && access(folder, W_OK | X_OK) != 0;
    free(folder);
    if (bad)
        return heedi_cli_fail(c, HEED_EOUTPUT,
                              "%s: its folder does not exist or cannot be "
                              "written",
                              path);
    return HEED_OK;
}

static heed_status check_names(heedi_cli *c, int64_t n)
{
    const heedi_args *a = &c->args;
    const char *path = a->output;
    if (!path)
        return HEED_OK;
    if (!*path)
        return heedi_cli_fail(c, HEED_EINVAL, "--output '': the path is empty");
    if (strcmp(path, "-") == 0) {
        if (a->json)
            return heedi_cli_fail(c, HEED_EINVAL,
                                  "--output -: not with --json");
        if (n > 1)
            return heedi_cli_fail(c, HEED_EINVAL,
                                  "--output -: not with several inputs");
        if (!a->format)
            return heedi_cli_fail(c, HEED_EINVAL,
                                  "--output -: --format must name the format");
        return HEED_OK;
    }
    if (heedi_cli_is_corpus(a)) /* one that exists may be gone on with */
        return HEED_OK;
    for (int64_t i = 0; i < n; i++) {
        char *p =
            heedi_cli_path(c, path, n > 1 || a->per_file ? i : -1, NULL, -1);
        heed_status st = p ? check_absent(c, p) : HEED_ENOMEM;
        free(p);
        HEEDI_TRY(st);
    }
    return HEED_OK;
}

heed_status heedi_cli_outputs_check(heedi_cli *c, int64_t n)
{
    const heedi_args *a = &c->args;
    if (a->format && !a->output)
        return heedi_cli_fail(c, HEED_EINVAL, "--format: only with --output");
    if (a->per_file && !a->output)
        return heedi_cli_fail(c, HEED_EINVAL, "--per-file: only with --output");
    if (heedi_cli_is_corpus(a))
        HEEDI_TRY(heedi_cli_corpus_check(c));
    HEEDI_TRY(check_names(c, n));
    HEEDI_TRY(check_picture(c, "png", a->png, ".png"));
    HEEDI_TRY(check_picture(c, "svg", a->svg, ".svg"));
    HEEDI_TRY(check_picture(c, "pdf", a->pdf, ".pdf"));
    HEEDI_TRY(check_picture(c, "viz-path", a->picture, NULL));
    HEEDI_TRY(check_folder(c, a->output));
    HEEDI_TRY(check_folder(c, a->png));
    HEEDI_TRY(check_folder(c, a->svg));
    HEEDI_TRY(check_folder(c, a->pdf));
    HEEDI_TRY(check_folder(c, a->picture));
    if (heedi_cli_has_picture(a) && !heed_figure_at(0))
        return heedi_cli_fail(c, HEED_ENOTSUP,
                              "pictures: this build was made without Cairo");
    return HEED_OK;
}

/* ---- files ---- */

heed_status heedi_cli_output_open(heedi_cli *c, heedi_cli_output *o, int64_t i,
                                  int64_t n, bool keep)
{
    const heedi_args *a = &c->args;
    *o = (heedi_cli_output){0};
    if (keep) {
        HEEDI_LIB(c, heed_result_new(&o->result, c->ctx));
        o->to[o->n++] = heed_result_sink(o->result);
    }
    if (!a->output || heedi_cli_is_corpus(a))
        return HEED_OK;
    char *path =
        heedi_cli_path(c, a->output, n > 1 || a->per_file ? i : -1, NULL, -1);
    if (!path)
        return HEED_ENOMEM;
    heed_status st =
        heed_file_open(&o->file, c->ctx, path, a->format, a->force);
    if (st != HEED_OK) {
        o->file = NULL;
        heedi_cli_lib(c, st);
    } else {
        o->to[o->n++] = heed_file_sink(o->file);
    }
    free(path);
    return st;
}

uint64_t heedi_cli_output_memory(const heedi_cli *c, int64_t n)
{
    const heedi_args *a = &c->args;
    const heed_format_info *f =
        a->output ? heed_format_of(a->output, a->format) : NULL;
    if (!f)
        return 0;
    return heedi_cli_is_corpus(a)
               ? f->memory
               : f->memory + (uint64_t)(n - 1) * f->memory_more;
}

heed_status heedi_cli_output_close(heedi_cli *c, heedi_cli_output *o)
{
    heed_file *f = o->file;
    o->file = NULL;
    if (f)
        HEEDI_LIB(c, heed_file_close(f));
    return HEED_OK;
}

void heedi_cli_output_free(heedi_cli_output *o)
{
    heed_file_abort(o->file);
    heed_result_free(o->result);
    *o = (heedi_cli_output){0};
}

heed_status heedi_cli_json(heedi_cli *c, const heed_result *r, bool many)
{
    const heed_format_info *f;
    const char *format = "json";
    for (int i = 0; many && (f = heed_format_at(i)); i++)
        if (strcmp(f->name, "jsonl") == 0)
            format = f->name;
    HEEDI_LIB(c, heed_write(c->ctx, "-", format, 0, r));
    c->printed = true;
    return HEED_OK;
}
