#include "canvas_labels.h"

#include <math.h>
#include <stdlib.h>

#include "view.h"

enum { LONGEST = 90 };
static const heedi_type type = {9, 0x5a5a5a, false, HEEDI_RIGHT, LONGEST};

/* Lines of text this far apart do not touch, in sizes of the text; where some
 * are left out, those that stay stand out more. */
static const double line = 0.92, apart = 1.35;

static double size_of(const heedi_canvas *c)
{
    return fmax(type.size, c->min_font);
}

bool heedi_labels_fit(const heedi_labels *l, const heedi_canvas *c)
{
    return l->pitch >= line * size_of(c) || l->n == 1;
}

typedef struct ranked {
    double weight;
    int64_t i;
} ranked;

static int by_weight(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->weight != y->weight)
        return x->weight < y->weight ? 1 : -1;
    return (x->i > y->i) - (x->i < y->i);
}

/* Marks the ones of the greatest weight that leave each other room. */
static heed_status choose(const heedi_labels *l, const heedi_canvas *c,
                          heedi_arena *mem, bool *shown)
{
    const int64_t near = (int64_t)ceil(apart * size_of(c) / l->pitch - 1e-9);
    ranked *all = heedi_arena_alloc(mem, (size_t)l->n * sizeof *all);
    if (!all)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < l->n; i++)
        all[i] = (ranked){l->weight[i], i};
    qsort(all, (size_t)l->n, sizeof *all, by_weight);
    for (int64_t r = 0; r < l->n && all[r].weight > 0; r++) {
        bool free = true;
        int64_t i = all[r].i;
        for (int64_t k = i - near + 1; free && k < i + near; k++)
            free = k < 0 || k >= l->n || !shown[k];
        shown[i] = free;
    }
    return HEED_OK;
}

static const char *numbered(heedi_arena *mem, const char *text, int64_t i)
{
    const char *s = heedi_isolated(mem, text);
    return s ? heedi_arena_print(mem, "%s \xc2\xb7 %lld", s, (long long)i)
             : NULL;
}

double heedi_labels_below(const heedi_labels *l, heedi_canvas *c,
                          heedi_arena *mem, double y)
{
    const bool fit = heedi_labels_fit(l, c);
    double most = 0;
    bool *shown = heedi_arena_alloc(mem, (size_t)l->n * sizeof *shown);
    if (!shown || (!fit && choose(l, c, mem, shown) != HEED_OK))
        return -1;
    for (int64_t i = 0; i < l->n; i++) {
        if (!fit && !shown[i])
            continue;
        const char *text = fit ? l->text[i] : numbered(mem, l->text[i], i);
        if (!text)
            return -1;
        heedi_type t = type;
        t.bold = l->weight[i] >= l->strong;
        t.color = t.bold ? 0x111111 : t.color;
        cairo_save(c->cr);
        cairo_translate(c->cr, l->x + (double)i * l->pitch + 0.34 * size_of(c),
                        y);
        cairo_rotate(c->cr, -1.5707963267948966);
        most = fmax(most, heedi_canvas_text(c, 0, 0, t, text));
        cairo_restore(c->cr);
    }
    return y + most;
}
