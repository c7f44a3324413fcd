#include <heed/corpus.h>

#include <string.h>
#include <sys/stat.h>

#include "ctx.h"
#include "result.h"
#include "utf8.h"

#ifdef HEEDI_HAVE_HDF5
#include "hdf5_corpus.h"
#include "hdf5_reason.h"
#include "out.h"
#include "twin.h"

/* Between two inputs the file is closed, so that the next one starts from what
 * is in the file and from nothing else: a run that goes on makes the bytes that
 * one without a break makes. */
struct heed_corpus {
    heed_ctx *ctx;
    heedi_twin twin;
    heedi_place place; /* names, for messages */
    heedi_h5 h;
    const heed_result *run;
    bool several, failed;
};

/* ---- a file that is there ---- */

static heed_status unopened(const heed_corpus *c)
{
    char why[HEEDI_H5_REASON];
    return heedi_fail(c->ctx, HEED_EOUTPUT,
                      "%s: exists and is no file of many inputs: %s; --force "
                      "replaces it",
                      c->twin.path, heedi_h5_reason(why, c->twin.path));
}

static heed_status examine(heed_corpus *c, int64_t *done)
{
    heedi_h5 *h = &c->h;
    heed_status st = HEED_OK;
    struct stat s; /* HDF5 takes an empty file for a new one */
    if (stat(c->twin.path, &s) == 0 && s.st_size == 0)
        return unopened(c);
    h->file = heedi_hdf5_open(&h->driver, c->twin.part);
    if (h->file < 0)
        return unopened(c);
    *done = heedi_corpus_count(h);
    if (*done < 0)
        st = heedi_fail(c->ctx, HEED_EOUTPUT,
                        "%s: exists and is no file of many inputs; --force "
                        "replaces it",
                        c->twin.path);
    if (st == HEED_OK)
        st = heedi_corpus_same(h, c->run);
    heedi_hdf5_close(&h->driver, h->file);
    h->file = -1;
    return st;
}

static heed_status start(heed_corpus *c, const char *path, int force,
                         int64_t *done)
{
    bool exists;
    HEEDI_TRY(heedi_place_init(&c->place, c->ctx, path, 1));
    if (!c->place.renames)
        return heedi_fail(c->ctx, HEED_EOUTPUT, "%s: not a regular file", path);
    c->place.renames = false; /* the twin does it */
    HEEDI_TRY(heedi_twin_init(&c->twin, c->ctx, path, force != 0));
    HEEDI_TRY(heedi_twin_ready(&c->twin, c->ctx, &exists));
    return exists ? examine(c, done) : HEED_OK;
}

heed_status heed_corpus_open(heed_corpus **out, heed_ctx *ctx, const char *path,
                             const heed_result *run, int several, int force,
                             int64_t *done)
{
    heed_status st;
    heedi_begin(ctx);
    *out = NULL;
    *done = 0;
    heed_corpus *c = heedi_alloc(ctx, sizeof *c);
    if (!c)
        return HEED_ENOMEM;
    c->ctx = ctx;
    c->twin.fd = -1;
    c->run = run;
    c->several = several != 0;
    c->h.ctx = ctx;
    c->h.place = &c->place;
    c->h.file = -1;
    H5E_BEGIN_TRY
    {
        st = heedi_h5_init(&c->h) ? start(c, path, force, done)
                                  : heedi_h5_broken(&c->h, "anything");
    }
    H5E_END_TRY
    if (st != HEED_OK)
        heed_corpus_close(c);
    else
        *out = c;
    return st;
}

/* ---- one input more ---- */

static heed_status check_texts(heed_ctx *ctx, const heed_result *r)
{
    const heed_array *a;
    const heed_attr *v;
    const char *key;
    for (int i = 0; (a = heed_result_at(r, i)); i++)
        if (a->var.type == HEED_STR)
            HEEDI_TRY(heedi_text_check(ctx, a->var.name, a->data,
                                       heedi_numel(a->var.nd, a->var.len)));
    for (int i = 0; (v = heed_result_attr_at(r, i, NULL, &key)); i++)
        if (v->type == HEED_STR)
            HEEDI_TRY(heedi_text_check(ctx, key, v->data, v->n < 0 ? 1 : v->n));
    return HEED_OK;
}

/* A write that failed under HDF5 is found out here. */
static heed_status close_file(heed_corpus *c, heed_status st)
{
    heedi_h5 *h = &c->h;
    if (st != HEED_OK && !h->driver.err)
        h->driver.err = -1; /* nobody will read it: write no more */
    if (h->file >= 0 && heedi_hdf5_close(&h->driver, h->file) < 0 &&
        st == HEED_OK)
        st = heedi_h5_broken(h, "the end of an input");
    h->file = -1;
    if (st == HEED_OK && h->driver.err)
        st = heedi_out_fail(c->ctx, c->twin.path, h->driver.err);
    return st;
}

static heed_status write_one(heed_corpus *c, const heed_result *r)
{
    heedi_h5 *h = &c->h;
    bool exists;
    HEEDI_TRY(check_texts(c->ctx, r));
    HEEDI_TRY(heedi_twin_ready(&c->twin, c->ctx, &exists));
    h->driver.ctx = c->ctx;
    h->driver.n_changed = 0;
    h->driver.changed_all = false;
    h->file = exists ? heedi_hdf5_open(&h->driver, c->twin.part)
                     : heedi_hdf5_create(&h->driver, c->twin.part);
    heed_status st = h->file < 0 ? heedi_h5_broken(h, "anything") : HEED_OK;
    if (st == HEED_OK && !exists)
        st = heedi_corpus_begin(h, c->run);
    if (st == HEED_OK)
        st = heedi_corpus_append(h, r, c->several);
    return close_file(c, st);
}

heed_status heed_corpus_add(heed_corpus *c, const heed_result *r)
{
    const heedi_hdf5_driver *d = &c->h.driver;
    heed_status st;
    heedi_begin(c->ctx);
    if (c->failed)
        return heedi_fail(c->ctx, HEED_EOUTPUT, "%s: has failed before",
                          c->twin.path);
    H5E_BEGIN_TRY
    {
        st = write_one(c, r);
    }
    H5E_END_TRY
    if (st == HEED_OK)
        st = heedi_twin_commit(
            &c->twin, c->ctx, d->changed_all ? NULL : d->changed, d->n_changed);
    c->failed = st != HEED_OK;
    return st;
}

void heed_corpus_close(heed_corpus *c)
{
    if (!c)
        return;
    heed_ctx *ctx = c->ctx;
    H5E_BEGIN_TRY
    {
        heedi_h5_clear(&c->h);
    }
    H5E_END_TRY
    heedi_free(ctx, c->h.driver.changed);
    heedi_twin_clear(&c->twin, ctx);
    heedi_place_clear(&c->place, ctx);
    heedi_free(ctx, c);
}

#else

heed_status heed_corpus_open(heed_corpus **out, heed_ctx *ctx, const char *path,
                             const heed_result *run, int several, int force,
                             int64_t *done)
{
    (void)run;
    (void)several;
    (void)force;
    heedi_begin(ctx);
    *out = NULL;
    *done = 0;
    return heedi_fail(ctx, HEED_ENOTSUP,
                      "%s: this build has no format hdf5, which a file of many "
                      "inputs is",
                      path);
}

heed_status heed_corpus_add(heed_corpus *c, const heed_result *r)
{
    (void)c;
    (void)r;
    return HEED_ENOTSUP;
}

void heed_corpus_close(heed_corpus *c)
{
    (void)c;
}

#endif
