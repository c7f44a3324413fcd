#include "hdf5_same.h"

#include <string.h>

#include "hdf5_corpus.h"

/* What a run that goes on may have otherwise: when it was, and on how many
 * threads, which changes no result. */
static const char *const may_differ[] = {"created", "history", "threads"};

enum { SHOWN = 160 };

/* The first value that differs; in words. */
typedef struct difference {
    char there[SHOWN], here[SHOWN];
} difference;

static void show(char out[SHOWN], heed_type type, const void *data, size_t i)
{
    if (type == HEED_STR)
        snprintf(out, SHOWN, "'%.120s'",
                 ((char *const *)data)[i] ? ((char *const *)data)[i] : "");
    else if (type == HEED_I64)
        snprintf(out, SHOWN, "%lld", (long long)((const int64_t *)data)[i]);
    else
        snprintf(out, SHOWN, "another value");
}

static bool same_value(heed_type type, const void *a, const void *b, size_t i)
{
    const size_t size = heed_type_size(type);
    if (type != HEED_STR)
        return memcmp((const char *)a + i * size, (const char *)b + i * size,
                      size) == 0;
    const char *s = ((char *const *)a)[i], *t = ((char *const *)b)[i];
    return strcmp(s ? s : "", t ? t : "") == 0;
}

/* Negative if it cannot be read, else whether it is the same. */
static int compare(const heedi_h5 *h, hid_t at, const char *key, heed_attr v,
                   difference *d)
{
    const size_t n = v.n < 0 ? 1 : (size_t)v.n;
    hid_t id = H5Aopen(at, key, H5P_DEFAULT), space = H5Aget_space(id);
    const hid_t type = heedi_h5_memory_type(h, v.type);
    const hssize_t there = H5Sget_simple_extent_npoints(space);
    char *got = NULL;
    int same = -1;
    if (there > 0 && there < 1 << 20)
        got = heedi_alloc(h->ctx, (size_t)there * heed_type_size(v.type));
    if (got && H5Aread(id, type, got) >= 0) {
        size_t i = 0;
        while (i < n && i < (size_t)there && same_value(v.type, got, v.data, i))
            i++;
        same = i == n && i == (size_t)there;
        if (!same) {
            strcpy(d->there, "nothing");
            strcpy(d->here, "nothing");
            if (i < (size_t)there)
                show(d->there, v.type, got, i);
            if (i < n)
                show(d->here, v.type, v.data, i);
        }
        if (v.type == HEED_STR)
            H5Dvlen_reclaim(type, space, H5P_DEFAULT, got);
    }
    heedi_free(h->ctx, got);
    H5Sclose(space);
    H5Aclose(id);
    return same;
}

heed_status heedi_h5_keep_attr(heedi_h5 *h, const char *group, const char *key,
                               heed_attr v)
{
    difference d;
    heed_status st = HEED_OK;
    hid_t g = heedi_h5_group(h, group);
    if (H5Aexists(g, key) <= 0)
        st = heedi_h5_attr(h, g, key, v) ? HEED_OK : heedi_h5_broken(h, key);
    else if (compare(h, g, key, v, &d) != 1)
        st = heedi_fail(h->ctx, HEED_EINVAL,
                        "attribute %s of %s is not that of the inputs before "
                        "it",
                        key, group);
    H5Gclose(g);
    return st;
}

static bool is_free(const char *key)
{
    for (size_t i = 0; i < sizeof may_differ / sizeof *may_differ; i++)
        if (strcmp(may_differ[i], key) == 0)
            return true;
    return false;
}

heed_status heedi_corpus_same(heedi_h5 *h, const heed_result *run)
{
    const heed_attr *v;
    const char *group, *key;
    for (int i = 0; (v = heed_result_attr_at(run, i, &group, &key)); i++) {
        difference d = {"nothing", "nothing"};
        if (*group || is_free(key))
            continue;
        hid_t g = heedi_h5_group(h, "");
        int same = H5Aexists(g, key) > 0 ? compare(h, g, key, *v, &d) : -1;
        H5Gclose(g);
        if (same == 1)
            continue;
        return heedi_fail(h->ctx, HEED_EOUTPUT,
                          "%s: holds inputs of another run: %s is %s there and "
                          "%s here; the same command goes on, --force starts "
                          "anew",
                          h->place->path, key, d.there, d.here);
    }
    return HEED_OK;
}
