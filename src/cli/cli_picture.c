/* Pictures of results, next to the result file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli_output.h"

bool heedi_cli_has_picture(const heedi_args *a)
{
    return a->png || a->svg || a->pdf || a->picture;
}

heed_status heedi_cli_figure(heedi_cli *c, const heed_figure_info **out)
{
    const heed_figure_info *f;
    const char *name = c->args.figure;
    char list[400] = "";
    size_t used = 0;
    *out = NULL;
    if (!name)
        return HEED_OK;
    if (!heed_figure_at(0))
        return heedi_cli_fail(c, HEED_ENOTSUP,
                              "--figure: this build was made without Cairo");
    *out = heedi_cli_figure_named(name);
    if (*out)
        return HEED_OK;
    for (int i = 0; (f = heed_figure_at(i)) && used + 40 < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%.30s",
                                 used ? ", " : "", f->name);
    return heedi_cli_fail(c, HEED_EINVAL,
                          "--figure '%.40s': there is no such figure; there "
                          "are %s",
                          name, used ? list : "none in this build");
}

heed_status heedi_cli_figure_options(heedi_cli *c, heed_figure_options *o)
{
    const heedi_args *a = &c->args;
    if (a->theme == HEEDI_THEME_DARK)
        return heedi_cli_fail(c, HEED_ENOTSUP,
                              "--theme dark: not in this version");
    if (a->raw_tokens)
        return heedi_cli_fail(c, HEED_ENOTSUP,
                              "--raw-tokens: not in this version");
    if ((a->vmin != 0 || a->vmax != 0) && a->vmin >= a->vmax)
        return heedi_cli_fail(c, HEED_EINVAL,
                              "--vmin %.9g: must be less than --vmax %.9g",
                              a->vmin, a->vmax);
    if (a->cmap && !heed_cmap_known(a->cmap))
        return heedi_cli_fail(c, HEED_EINVAL,
                              "--cmap '%s': there is no such colour map",
                              a->cmap);
    const heed_figure_info *f;
    HEEDI_TRY(heedi_cli_figure(c, &f));
    if (f && !heedi_cli_has_picture(a))
        return heedi_cli_fail(c, HEED_EINVAL,
                              "--figure: only with --png, --svg or --pdf");
    *o = (heed_figure_options){
        .cmap = a->cmap,
        .vmin = a->vmin,
        .vmax = a->vmax,
        .robust = a->robust,
        .width = a->width,
        .min_font = a->min_font,
        .drop_first = a->drop_first,
        .drop_special = a->drop_special,
        .show_space = a->show_space,
        .log = a->log,
        .force = a->force,
        .title = a->title,
    };
    return HEED_OK;
}

const heed_figure_info *heedi_cli_figure_named(const char *name)
{
    const heed_figure_info *f;
    for (int i = 0; (f = heed_figure_at(i)); i++)
        if (heedi_cli_listed(f->name, ' ', name))
            return f;
    return NULL;
}

const heed_figure_info *heedi_cli_figure_of(const char *array)
{
    const heed_figure_info *f, *found = NULL;
    for (int i = 0; (f = heed_figure_at(i)); i++)
        if (strcmp(f->draws, array) == 0 &&
            (!found || strcmp(f->name, "token_heat") == 0))
            found = f;
    return found;
}

heed_status heedi_cli_draw(heedi_cli *c, const char *figure,
                           const heed_figure_part *part, int64_t n,
                           int64_t index, const char *word, int64_t target)
{
    const heedi_args *a = &c->args;
    const char *const paths[] = {a->png, a->svg, a->pdf, a->picture};
    heed_figure_options o;
    HEEDI_TRY(heedi_cli_figure_options(c, &o));
    if (a->layers.n == 1)
        o.layer = a->layers.v[0];
    if (a->heads.n == 1)
        o.head = a->heads.v[0];
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        if (!paths[i])
            continue;
        char *path = heedi_cli_path(c, paths[i], index, word, target);
        if (!path)
            return HEED_ENOMEM;
        heed_status st =
            heed_figure_draw_parts(c->ctx, figure, path, part, n, &o);
        if (st != HEED_OK)
            heedi_cli_lib(c, st);
        free(path);
        HEEDI_TRY(st);
    }
    return HEED_OK;
}

heed_status heedi_cli_pictures(heedi_cli *c, const heed_result *r,
                               const char *group, const char *array,
                               int64_t index, const char *word, int64_t target)
{
    const heed_figure_part part = {r, group, target < 0 ? 0 : target};
    const heed_figure_info *f;
    HEEDI_TRY(heedi_cli_figure(c, &f));
    if (!f)
        f = heedi_cli_figure_of(array);
    if (f && f->all_targets) {
        if (target > 0)
            return HEED_OK; /* it is in the picture of the first */
        target = -1;
    }
    if (!f)
        return heedi_cli_fail(c, HEED_ENOTSUP,
                              "pictures: this build has no figure of '%s'",
                              array);
    return heedi_cli_draw(c, f->name, &part, 1, index, word, target);
}
