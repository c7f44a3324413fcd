#include <heed/file.h>

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "ctx.h"
#include "format.h"
#include "out.h"
#include "result.h"
#include "utf8.h"

#define ROW(name) extern const heedi_format heedi_format_##name;
#include "formats.inc"
#undef ROW

static const heedi_format *const formats[] = {
#define ROW(name) &heedi_format_##name,
#include "formats.inc"
#undef ROW
    NULL,
};
enum { N_FORMATS = sizeof formats / sizeof *formats - 1 };

const heed_format_info *heed_format_at(int i)
{
    return i >= 0 && i < N_FORMATS ? &formats[i]->info : NULL;
}

struct heed_file {
    heed_ctx *ctx;
    const heedi_format *format;
    heedi_place place;
    heed_result *kept; /* of a format that does not stream */
    void *ud;          /* of one that does */
    bool failed;       /* a sink function did, so close() cannot succeed */
};

/* ---- choosing a format --------------------------------------------------- */

static bool has_extension(const heed_format_info *f, const char *path)
{
    size_t n = strlen(path);
    for (const char *e = f->extension; *e; e += strspn(e, " ")) {
        size_t m = strcspn(e, " ");
        if (m < n && strncasecmp(path + n - m, e, m) == 0)
            return true;
        e += m;
    }
    return false;
}

static const heedi_format *find(const char *path, const char *name)
{
    for (int i = 0; i < N_FORMATS; i++)
        if (name ? strcasecmp(formats[i]->info.name, name) == 0
                 : has_extension(&formats[i]->info, path))
            return formats[i];
    return NULL;
}

const heed_format_info *heed_format_of(const char *path, const char *format)
{
    const heedi_format *f = find(path, format);
    return f ? &f->info : NULL;
}

static heed_status choose(const heedi_format **out, heed_ctx *ctx,
                          const char *path, const char *name)
{
    const heedi_format *f = find(path, name);
    *out = f;
    if (!f && name)
        return heedi_fail(ctx, HEED_ENOTSUP, "this build has no format %s",
                          name);
    if (!f)
        return heedi_fail(ctx, HEED_ENOTSUP,
                          "%s: no format of this build has this extension",
                          path);
    if (strcmp(path, "-") == 0 && !f->save)
        return heedi_fail(ctx, HEED_ENOTSUP,
                          "format %s cannot be written to standard output",
                          f->info.name);
    return HEED_OK;
}

heed_status heed_file_open(heed_file **out, heed_ctx *ctx, const char *path,
                           const char *format, int force)
{
    const heedi_format *chosen;
    heedi_begin(ctx);
    *out = NULL;
    HEEDI_TRY(choose(&chosen, ctx, path, format));
    heed_file *f = heedi_alloc(ctx, sizeof *f);
    if (!f)
        return HEED_ENOMEM;
    f->ctx = ctx;
    f->format = chosen;
    heed_status st = heedi_place_init(&f->place, ctx, path, force);
    if (st == HEED_OK && !chosen->save && !f->place.renames)
        st = heedi_fail(ctx, HEED_EOUTPUT, "%s: not a regular file", path);
    if (st == HEED_OK)
        st = chosen->save ? heed_result_new(&f->kept, ctx)
                          : chosen->open(&f->ud, ctx, &f->place);
    if (st != HEED_OK) {
        heed_file_abort(f);
        return st;
    }
    *out = f;
    return HEED_OK;
}

/* ---- the sink ------------------------------------------------------------ */

static heed_status note(heed_file *f, heed_status st)
{
    f->failed |= st != HEED_OK;
    return st;
}

static heed_status file_define(void *ud, heed_ctx *ctx, const heed_var *var)
{
    heed_file *f = ud;
    if (f->failed)
        return HEED_EOUTPUT;
    heed_status st = heedi_var_check(ctx, var);
    if (st == HEED_OK && f->kept) {
        heed_sink s = heed_result_sink(f->kept);
        st = s.define(s.ud, ctx, var);
    } else if (st == HEED_OK) {
        st = f->format->define(f->ud, ctx, var);
    }
    return note(f, st);
}

static heed_status file_write(void *ud, heed_ctx *ctx, const char *group,
                              const char *name, const int64_t *start,
                              const int64_t *count, const void *data)
{
    heed_file *f = ud;
    if (f->failed)
        return HEED_EOUTPUT;
    if (f->kept) {
        heed_sink s = heed_result_sink(f->kept);
        return note(f, s.write(s.ud, ctx, group, name, start, count, data));
    }
    return note(f,
                f->format->write(f->ud, ctx, group, name, start, count, data));
}

static heed_status file_attr(void *ud, heed_ctx *ctx, const char *group,
                             const char *key, heed_attr value)
{
    heed_file *f = ud;
    if (f->failed)
        return HEED_EOUTPUT;
    heed_status st = heedi_attr_check(ctx, group, key, value);
    if (st == HEED_OK && value.type == HEED_STR)
        st = heedi_text_check(ctx, key, value.data, value.n < 0 ? 1 : value.n);
    if (st == HEED_OK && f->kept) {
        heed_sink s = heed_result_sink(f->kept);
        st = s.attr(s.ud, ctx, group, key, value);
    } else if (st == HEED_OK) {
        st = f->format->attr(f->ud, ctx, group, key, value);
    }
    return note(f, st);
}

heed_sink heed_file_sink(heed_file *f)
{
    return (heed_sink){f, file_define, file_write, file_attr};
}

/* ---- the end ------------------------------------------------------------- */

static heed_status check_texts(heed_ctx *ctx, const heed_result *r)
{
    const heed_array *a;
    for (int i = 0; (a = heed_result_at(r, i)); i++)
        if (a->var.type == HEED_STR)
            HEEDI_TRY(heedi_text_check(ctx, a->var.name, a->data,
                                       heedi_numel(a->var.nd, a->var.len)));
    return HEED_OK;
}

static heed_status save(heed_file *f, const heed_result *r)
{
    heedi_out o;
    HEEDI_TRY(check_texts(f->ctx, r));
    HEEDI_TRY(heedi_out_open(&o, f->ctx, &f->place));
    heed_status st = f->format->save(f->ctx, &o, r);
    heed_status end = heedi_out_close(&o, f->ctx, &f->place);
    return st != HEED_OK ? st : end;
}

/* Everything written; the file becomes what it should be, or nothing. */
static heed_status end(heed_file *f, heed_status st)
{
    if (st == HEED_OK)
        st = heedi_place_commit(&f->place, f->ctx);
    heed_file_abort(f);
    return st;
}

heed_status heed_file_close(heed_file *f)
{
    if (f->failed)
        return end(f, HEED_EOUTPUT);
    heedi_begin(f->ctx);
    return end(f,
               f->kept ? save(f, f->kept) : f->format->finish(f->ud, f->ctx));
}

void heed_file_abort(heed_file *f)
{
    if (!f)
        return;
    heed_ctx *ctx = f->ctx;
    if (f->ud)
        f->format->drop(f->ud, ctx);
    heed_result_free(f->kept);
    heedi_place_discard(&f->place);
    heedi_place_clear(&f->place, ctx);
    heedi_free(ctx, f);
}

heed_status heed_write(heed_ctx *ctx, const char *path, const char *format,
                       int force, const heed_result *r)
{
    heed_file *f;
    HEEDI_TRY(heed_file_open(&f, ctx, path, format, force));
    if (f->kept)
        return end(f, save(f, r)); /* no copy is needed */
    heed_sink s = heed_file_sink(f);
    heed_status st = heed_result_replay(r, ctx, &s);
    return st == HEED_OK ? heed_file_close(f) : end(f, st);
}

/* ---- reading ------------------------------------------------------------- */

enum { VERSION = 1 };

/* A sink that looks at the root's attributes, which come first. */
typedef struct reading {
    const char *path;
    const heed_sink *to;
} reading;

static heed_status check_attr(const reading *r, heed_ctx *ctx, const char *key,
                              heed_attr value)
{
    const char *format = value.type == HEED_STR && value.n < 0
                             ? *(const char *const *)value.data
                             : NULL;
    /* results that a program wrote itself need not say what they are */
    if (strcmp(key, "format") == 0 && format && strcmp(format, "heed") != 0)
        return heedi_fail(ctx, HEED_EFORMAT, "%s: format '%.40s', not heed",
                          r->path, format);
    const double version = strcmp(key, "format_version") == 0
                               ? heedi_number(value.type, value.data, 0)
                               : 0;
    if (version > VERSION)
        return heedi_fail(ctx, HEED_ENOTSUP,
                          "%s: format_version %.0f, this build reads %d",
                          r->path, version, VERSION);
    return HEED_OK;
}

static heed_status read_define(void *ud, heed_ctx *ctx, const heed_var *var)
{
    const reading *r = ud;
    return r->to->define(r->to->ud, ctx, var);
}

static heed_status read_write(void *ud, heed_ctx *ctx, const char *group,
                              const char *name, const int64_t *start,
                              const int64_t *count, const void *data)
{
    const reading *r = ud;
    return r->to->write(r->to->ud, ctx, group, name, start, count, data);
}

static heed_status read_attr(void *ud, heed_ctx *ctx, const char *group,
                             const char *key, heed_attr value)
{
    const reading *r = ud;
    if (!*group)
        HEEDI_TRY(check_attr(r, ctx, key, value));
    return r->to->attr(r->to->ud, ctx, group, key, value);
}

void heed_quiet_files(void)
{
    for (int i = 0; i < N_FORMATS; i++)
        if (formats[i]->quiet)
            formats[i]->quiet();
}

heed_status heed_read_into(heed_ctx *ctx, const char *path, const heed_sink *to)
{
    heedi_begin(ctx);
    const heedi_format *f = find(path, NULL);
    if (!f || !f->load)
        return heedi_fail(ctx, HEED_ENOTSUP,
                          "%s: this build reads no result files with this "
                          "extension",
                          path);
    if (access(path, R_OK) != 0)
        return heedi_fail(ctx, HEED_EIO, "%s: %s", path, strerror(errno));
    reading r = {path, to};
    const heed_sink s = {&r, read_define, read_write, read_attr};
    return f->load(ctx, path, &s);
}

heed_status heed_read(heed_result **out, heed_ctx *ctx, const char *path)
{
    heed_result *r;
    *out = NULL;
    HEEDI_TRY(heed_result_new(&r, ctx));
    const heed_sink s = heed_result_sink(r);
    const heed_status st = heed_read_into(ctx, path, &s);
    if (st != HEED_OK) {
        heed_result_free(r);
        return st;
    }
    *out = r;
    return HEED_OK;
}
