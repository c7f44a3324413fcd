#include <heed/figure.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "color.h"
#include "ctx.h"
#include "out.h"
#include "picture.h"
#include "thumbnails.h"
#include "view.h"
#ifdef HEEDI_HAVE_CAIRO
#include "canvas.h"
#endif

#define ROW(name) extern const heedi_figure heedi_figure_##name;
#include "figures.inc"
#undef ROW

static const heedi_figure *const figures[] = {
#define ROW(name) &heedi_figure_##name,
#include "figures.inc"
#undef ROW
    NULL,
};
enum { N_FIGURES = sizeof figures / sizeof *figures - 1 };

const heed_figure_info *heed_figure_at(int i)
{
    return i >= 0 && i < N_FIGURES ? &figures[i]->info : NULL;
}

const char *heed_cmap_at(int i)
{
    const heedi_cmap *m = heedi_cmap_at(i);
    return m ? m->name : NULL;
}

int heed_cmap_known(const char *name)
{
    return heedi_cmap_named(name) != NULL;
}

/* The array that a figure draws, or NULL. */
static const heed_array *drawn(const heedi_figure *f, const heed_result *r,
                               const char *group)
{
    char inner[256];
    const char *name = f->info.draws, *slash = strrchr(name, '/');
    int n = snprintf(inner, sizeof inner, "%s%s%.*s", group, slash ? "/" : "",
                     slash ? (int)(slash - name) : 0, name);
    if (n < 0 || (size_t)n >= sizeof inner)
        return NULL;
    return heed_result_get(r, inner, slash ? slash + 1 : name);
}

static bool fits(const heedi_figure *f, const heed_result *r, const char *group)
{
    const heed_array *a = drawn(f, r, group);
    return a && a->var.nd >= f->least_dims;
}

int heed_figure_fits(const heed_figure_info *figure, const heed_result *r,
                     const char *group)
{
    for (int i = 0; i < N_FIGURES; i++)
        if (figure == &figures[i]->info)
            return fits(figures[i], r, group);
    return 0;
}

#ifdef HEEDI_HAVE_CAIRO
static const heedi_figure *find(const char *name)
{
    for (int i = 0; i < N_FIGURES; i++)
        if (strcasecmp(figures[i]->info.name, name) == 0)
            return figures[i];
    return NULL;
}

static heed_status kind_of(heedi_picture *p, const char *path)
{
    static const char *const extension[] = {".png", ".svg", ".pdf"};
    size_t n = strlen(path);
    for (int i = 0; i < 3; i++)
        if (n > 4 && strcasecmp(path + n - 4, extension[i]) == 0) {
            p->kind = (heedi_picture_kind)i;
            return HEED_OK;
        }
    return heedi_fail(p->ctx, HEED_ENOTSUP,
                      "%s: a picture is .png, .svg or .pdf", path);
}

static heed_status within(heed_ctx *ctx, const char *name, double *x,
                          double def, double min, double max)
{
    if (*x == 0)
        *x = def;
    if (*x >= min && *x <= max)
        return HEED_OK;
    return heedi_fail(ctx, HEED_EINVAL, "%s is %g, must be from %g to %g", name,
                      *x, min, max);
}

/* What is there in place of what is not: "token_heat, layers". */
static heed_status refuse(const heedi_picture *p)
{
    char list[400] = "";
    size_t used = 0;
    const heed_figure_info *f = &p->figure->info;
    for (int i = 0; i < N_FIGURES && used + 40 < sizeof list; i++)
        if (fits(figures[i], p->r, p->group))
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%.30s",
                                     used ? ", " : "", figures[i]->info.name);
    const char *why =
        drawn(p->figure, p->r, p->group)
            ? f->all_targets ? " of several targets" : " of so many dimensions"
            : "";
    return heedi_fail(p->ctx, HEED_EINVAL,
                      "figure %s: %s has no %s%s; what fits: %s", f->name,
                      p->group, f->draws, why, used ? list : "nothing");
}

static heed_status options(heedi_picture *p, const heed_figure_options *o)
{
    if (o)
        p->o = *o;
    HEEDI_TRY(
        within(p->ctx, "width", &p->o.width, HEEDI_PAGE_WIDTH, 200, 20000));
    HEEDI_TRY(within(p->ctx, "min_font", &p->o.min_font, 9, 4, 100));
    HEEDI_TRY(within(p->ctx, "scale", &p->o.scale, 2, 0.1, 20));
    HEEDI_TRY(within(p->ctx, "robust", &p->o.robust,
                     p->figure->robust > 0 ? p->figure->robust : 100, 0, 100));
    if (!isfinite(p->o.vmin) || !isfinite(p->o.vmax) || p->o.vmin > p->o.vmax)
        return heedi_fail(p->ctx, HEED_EINVAL, "range from %g to %g is empty",
                          p->o.vmin, p->o.vmax);
    return HEED_OK;
}

heed_status heed_figure_draw_parts(heed_ctx *ctx, const char *figure,
                                   const char *path,
                                   const heed_figure_part *part,
                                   int64_t n_parts,
                                   const heed_figure_options *o)
{
    heedi_place place;
    heedi_picture p = {.ctx = ctx, .part = part, .n_parts = n_parts};
    heedi_begin(ctx);
    const heedi_figure *f = find(figure);
    if (!f)
        return heedi_fail(ctx, HEED_EINVAL, "no figure %s", figure);
    if (n_parts < 1 || (n_parts > 1 && !f->info.several))
        return heedi_fail(ctx, HEED_EINVAL,
                          "figure %s draws one explanation, not %lld",
                          f->info.name, (long long)n_parts);
    for (int64_t i = 0; i < n_parts; i++)
        HEEDI_TRY(heedi_view_one(ctx, part[i].r));
    p.figure = f;
    p.r = part->r;
    p.group = part->group;
    HEEDI_TRY(kind_of(&p, path));
    HEEDI_TRY(options(&p, o));
    if (!fits(f, p.r, p.group))
        return refuse(&p);
    p.o.target = part->target;
    heed_status st = heedi_place_init(&place, ctx, path, p.o.force);
    if (st == HEED_OK)
        st = heedi_canvas_render(&p, f, &place);
    if (st == HEED_OK)
        st = heedi_place_commit(&place, ctx);
    heedi_place_discard(&place);
    heedi_place_clear(&place, ctx);
    return st;
}
#else
heed_status heed_figure_draw_parts(heed_ctx *ctx, const char *figure,
                                   const char *path,
                                   const heed_figure_part *part,
                                   int64_t n_parts,
                                   const heed_figure_options *o)
{
    (void)path;
    (void)part;
    (void)n_parts;
    (void)o;
    heedi_begin(ctx);
    return heedi_fail(ctx, HEED_ENOTSUP,
                      "figure %s: this build has no Cairo and Pango", figure);
}
#endif

heed_status heed_figure_draw(heed_ctx *ctx, const char *figure,
                             const char *path, const heed_result *r,
                             const char *group, const heed_figure_options *o)
{
    const heed_figure_part part = {r, group, o ? o->target : 0};
    return heed_figure_draw_parts(ctx, figure, path, &part, 1, o);
}
