#include "hdf5_file.h"

#include <hdf5_hl.h>
#include <string.h>

#include "result.h"

/* ---- dimensions ---------------------------------------------------------- */

/* The dimensions that groups have in common. Others, and these where a group
 * has another number of them, are a matter of the group. */
static const struct {
    const char *name, *long_name;
} shared[] = {
    {"pos", "position of the token"},
    {"layer", "layer"},
    {"head", "attention head"},
    {"query", "position of the query"},
    {"key", "position of the key"},
    {"target", "explained target"},
    {"source", "position of the source token"},
    {"channel", "channel"},
    {"neuron", "unit of the feed-forward layer"},
    {"sample", "input"},
};
enum { N_SHARED = sizeof shared / sizeof *shared };

static const char *shared_name(const char *dim)
{
    for (int i = 0; i < N_SHARED; i++)
        if (strcmp(shared[i].name, dim) == 0)
            return shared[i].long_name;
    return NULL;
}

static heedi_h5_scale *find_scale(const heedi_h5 *h, const char *group,
                                  const char *name)
{
    for (size_t i = 0; i < h->n_scales; i++)
        if (strcmp(h->scale[i].name, name) == 0 &&
            strcmp(h->scale[i].group, group) == 0)
            return &h->scale[i];
    return NULL;
}

static heed_status add_scale(heedi_h5 *h, const char *group, const char *name,
                             int64_t len, hid_t id)
{
    void *grown = heedi_grow(h->ctx, h->scale, &h->cap_scales, h->n_scales + 1,
                             sizeof *h->scale);
    if (!grown)
        return HEED_ENOMEM;
    h->scale = grown;
    group = heedi_h5_keep(h, group);
    name = group ? heedi_h5_keep(h, name) : NULL;
    if (!name)
        return HEED_ENOMEM;
    h->scale[h->n_scales++] = (heedi_h5_scale){group, name, len, id};
    return HEED_OK;
}

/* A dataset that is a dimension; its values are 0 ... len-1 unless `v` says
 * that they come later. */
static heed_status make_scale(heedi_h5 *h, const heed_var *v, bool count)
{
    heed_status st = HEED_OK;
    hid_t id = heedi_h5_create(h, v);
    if (id < 0 || H5DSset_scale(id, v->name) < 0)
        return heedi_h5_broken(h, v->name);
    if (count) {
        int32_t *x = heedi_alloc(h->ctx, (size_t)v->len[0] * sizeof *x);
        if (!x)
            return HEED_ENOMEM;
        for (int64_t i = 0; i < v->len[0]; i++)
            x[i] = (int32_t)i;
        if (H5Dwrite(id, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, x) <
            0)
            st = heedi_h5_broken(h, v->name);
        heedi_free(h->ctx, x);
    }
    return st == HEED_OK ? add_scale(h, v->group, v->name, v->len[0], id) : st;
}

static heed_status link_into(heedi_h5 *h, const char *group, hid_t id,
                             const char *name)
{
    hid_t g = heedi_h5_group(h, group);
    bool ok = H5Lexists(g, name, H5P_DEFAULT) > 0 ||
              H5Olink(id, g, name, H5P_DEFAULT, H5P_DEFAULT) >= 0;
    H5Gclose(g);
    return ok ? HEED_OK : heedi_h5_broken(h, name);
}

/* The scale of dimension `name` for an array of `group`. */
static heed_status scale_for(heedi_h5 *h, const char *group, const char *name,
                             int64_t len, hid_t *id)
{
    const heedi_h5_scale *s = find_scale(h, group, name);
    if (s && s->len != len)
        return heedi_fail(
            h->ctx, HEED_EINVAL, "dimension %s of %s has length %lld, not %lld",
            name, *group ? group : "/", (long long)s->len, (long long)len);
    if (s) {
        *id = s->id;
        return HEED_OK;
    }
    const char *long_name = shared_name(name);
    const heedi_h5_scale *root = find_scale(h, "", name);
    bool common = root ? root->len == len : long_name != NULL;
    if (!root || !common) {
        heed_var v = {
            common ? "" : group,         name, HEED_I32, 1, {name}, {len}, "1",
            long_name ? long_name : name};
        HEEDI_TRY(make_scale(h, &v, true));
        *id = h->scale[h->n_scales - 1].id;
    } else {
        *id = root->id;
    }
    if (!common || !*group)
        return HEED_OK;
    HEEDI_TRY(link_into(h, group, *id, name));
    return add_scale(h, group, name, len, *id);
}

/* ---- arrays -------------------------------------------------------------- */

heedi_h5_array *heedi_h5_find(const heedi_h5 *h, const char *group,
                              const char *name)
{
    for (size_t i = 0; i < h->n_arrays; i++)
        if (strcmp(h->array[i].var.name, name) == 0 &&
            strcmp(h->array[i].var.group, group) == 0)
            return &h->array[i];
    return NULL;
}

static heed_status add_array(heedi_h5 *h, const heed_var *var, hid_t id)
{
    void *grown = heedi_grow(h->ctx, h->array, &h->cap_arrays, h->n_arrays + 1,
                             sizeof *h->array);
    if (!grown)
        return HEED_ENOMEM;
    h->array = grown;
    heedi_h5_array a = {*var, id};
    a.var.units = a.var.long_name = NULL;
    bool ok = (a.var.group = heedi_h5_keep(h, var->group)) != NULL &&
              (a.var.name = heedi_h5_keep(h, var->name)) != NULL;
    for (int d = 0; ok && d < var->nd; d++)
        ok = (a.var.dim[d] = heedi_h5_keep(h, var->dim[d])) != NULL;
    if (!ok)
        return HEED_ENOMEM;
    h->array[h->n_arrays++] = a;
    return HEED_OK;
}

/* The groups that use a scale of the root keep it as their own. */
static heed_status forget_root(heedi_h5 *h, heedi_h5_scale *s)
{
    for (size_t i = 0; i < h->n_arrays; i++)
        for (int d = 0; d < h->array[i].var.nd; d++)
            if (!*h->array[i].var.group &&
                strcmp(h->array[i].var.dim[d], s->name) == 0)
                return heedi_fail(h->ctx, HEED_EINVAL,
                                  "coordinates %s do not fit array %s", s->name,
                                  h->array[i].var.name);
    if (H5Ldelete(h->file, s->name, H5P_DEFAULT) < 0)
        return heedi_h5_broken(h, s->name);
    *s = h->scale[--h->n_scales];
    return HEED_OK;
}

/* Coordinates: the array is its own dimension. */
static heed_status define_scale(heedi_h5 *h, const heed_var *var)
{
    heedi_h5_scale *s = find_scale(h, var->group, var->name);
    if (var->type == HEED_STR)
        return heedi_fail(h->ctx, HEED_EINVAL,
                          "coordinates %s are text, not numbers", var->name);
    if (s && (s->len != var->len[0] || var->type != HEED_I32)) {
        if (*var->group)
            return heedi_fail(h->ctx, HEED_EINVAL,
                              "coordinates %s/%s do not fit the arrays before "
                              "them",
                              var->group, var->name);
        HEEDI_TRY(forget_root(h, s));
        s = NULL;
    }
    if (!s) {
        heed_var v = *var;
        const char *known = shared_name(var->name);
        v.units = v.units ? v.units : "1";
        v.long_name = v.long_name ? v.long_name : known ? known : var->name;
        HEEDI_TRY(make_scale(h, &v, false));
        s = &h->scale[h->n_scales - 1];
    }
    return add_array(h, var, s->id);
}

heed_status heedi_h5_define(heedi_h5 *h, const heed_var *var)
{
    hid_t at[HEED_MAX_DIM];
    const heedi_h5_array *old = heedi_h5_find(h, var->group, var->name);
    if (old)
        return heedi_var_same(h->ctx, &old->var, var);
    if (var->nd == 1 && strcmp(var->dim[0], var->name) == 0)
        return define_scale(h, var);
    for (int d = 0; d < var->nd; d++)
        HEEDI_TRY(scale_for(h, var->group, var->dim[d], var->len[d], &at[d]));
    hid_t id = heedi_h5_create(h, var);
    if (id < 0)
        return heedi_h5_broken(h, var->name);
    for (int d = 0; d < var->nd; d++)
        if (H5DSattach_scale(id, at[d], (unsigned)d) < 0)
            return heedi_h5_broken(h, var->name);
    return add_array(h, var, id);
}

/* ---- coordinates
 * ------------------------------------------------------------- */

/* Tokens along `source`: the texts of input/token once more, since a
 * coordinate has the dimension of its data. */
static heed_status copy_tokens(heedi_h5 *h, const char *group,
                               const heedi_h5_array *token)
{
    int64_t n = token->var.len[0];
    heed_var v = {group,      "source_token",
                  HEED_STR,   1,
                  {"source"}, {n},
                  NULL,       "token at the source position"};
    const hid_t from = token->id;
    if (heedi_h5_find(h, group, v.name))
        return HEED_OK;
    char **text = heedi_alloc(h->ctx, (size_t)n * sizeof *text);
    if (!text)
        return HEED_ENOMEM;
    heed_status st = heedi_h5_define(h, &v); /* moves h->array */
    if (st == HEED_OK) {
        hid_t to = h->array[h->n_arrays - 1].id, space = H5Dget_space(from);
        bool ok =
            H5Dread(from, h->text, H5S_ALL, H5S_ALL, H5P_DEFAULT, text) >= 0;
        if (ok) {
            ok =
                H5Dwrite(to, h->text, H5S_ALL, H5S_ALL, H5P_DEFAULT, text) >= 0;
            H5Dvlen_reclaim(h->text, space, H5P_DEFAULT, text);
        }
        if (!ok)
            st = heedi_h5_broken(h, v.name);
        H5Sclose(space);
    }
    heedi_free(h->ctx, text);
    return st;
}

static void add_word(char *list, size_t size, const char *word)
{
    size_t n = strlen(list);
    if (n + strlen(word) + 2 > size)
        return; /* no array has that many */
    if (n)
        list[n++] = ' ';
    strcpy(list + n, word);
}

/* What xarray should show beside the values of array i: every text of its
 * group along one of its dimensions, and the tokens of the input. */
static heed_status coordinates(heedi_h5 *h, size_t i)
{
    const heed_var v = h->array[i].var;
    char list[512] = "";
    for (int d = 0; d < v.nd; d++) {
        const char *more = NULL;
        const heedi_h5_array *token = heedi_h5_find(h, "input", "token");
        if (token && token->var.len[0] != v.len[d])
            token = NULL;
        if (token && strcmp(v.dim[d], "pos") == 0 &&
            !heedi_h5_find(h, v.group, "token")) {
            HEEDI_TRY(link_into(h, v.group, token->id, "token"));
            more = "token";
        } else if (token && strcmp(v.dim[d], "source") == 0) {
            HEEDI_TRY(copy_tokens(h, v.group, token));
            more = "source_token";
        }
        if (more)
            add_word(list, sizeof list, more);
        for (size_t j = 0; j < h->n_arrays; j++) {
            const heed_var *w = &h->array[j].var;
            if (w->type == HEED_STR && w->nd == 1 &&
                strcmp(w->group, v.group) == 0 &&
                strcmp(w->dim[0], v.dim[d]) == 0 &&
                !(more && strcmp(more, w->name) == 0))
                add_word(list, sizeof list, w->name);
        }
    }
    if (*list && !heedi_h5_text(h, h->array[i].id, "coordinates", list))
        return heedi_h5_broken(h, v.name);
    return HEED_OK;
}

heed_status heedi_h5_complete(heedi_h5 *h)
{
    size_t n = h->n_arrays;
    for (size_t i = 0; i < n; i++) {
        const heed_var *v = &h->array[i].var;
        bool is_scale = v->nd == 1 && strcmp(v->dim[0], v->name) == 0;
        if (v->type != HEED_STR && !is_scale)
            HEEDI_TRY(coordinates(h, i));
    }
    return HEED_OK;
}
