#include "report.h"

#include "ctx.h"

/* With positions of fewer layers, `layer` is theirs. */
static const char *layers(const heedi_reporting *p)
{
    const heedi_parts *a = p->r[0].parts;
    return a && a->n > 0 && a->n != p->r[0].latent->layers ? "of_layer"
                                                           : "layer";
}

static const void *latent_of(const heedi_outcome *r, int which)
{
    return which == HEEDI_UNIT_HEAD ? r->latent->head : r->latent->neuron;
}

static heed_status put_all(const heedi_reporting *p)
{
    const heedi_latent *l = p->r[0].latent;
    heed_var head = {.name = "relevance_head",
                     .type = HEED_TYPE_REAL,
                     .nd = 3,
                     .dim = {layers(p), "head", "pos"},
                     .len = {l->layers, l->heads, l->len},
                     .units = "target",
                     .long_name = "relevance at the outputs of heads"};
    heed_var neuron = {.name = "relevance_neuron",
                       .type = HEED_TYPE_REAL,
                       .nd = 2,
                       .dim = {layers(p), "neuron"},
                       .len = {l->layers, l->neurons},
                       .units = "target",
                       .long_name = "relevance at the inner units of the "
                                    "feed-forward part, summed over tokens"};
    if (l->head)
        HEEDI_TRY(heedi_report_rows(p, p->j->group, &head, latent_of,
                                    HEEDI_UNIT_HEAD));
    return l->neuron ? heedi_report_rows(p, p->j->group, &neuron, latent_of,
                                         HEEDI_UNIT_NEURON)
                     : HEED_OK;
}

/* ---- the greatest ---- */

enum { LAYER, NUMBER, RELEVANCE, N_COLUMNS };

static const void *top_of(const heedi_outcome *r, int arg)
{
    const heedi_top *t = &r->latent->top[arg / N_COLUMNS];
    const void *const of[N_COLUMNS] = {t->layer, t->number, t->relevance};
    return of[arg % N_COLUMNS];
}

static const struct {
    const char *dim, *name[N_COLUMNS], *long_name[N_COLUMNS];
} columns[HEEDI_N_UNITS] = {
    [HEEDI_UNIT_HEAD] = {"top_head",
                         {"top_head_layer", "top_head_number",
                          "top_head_relevance"},
                         {"layer of the head", "number of the head",
                          "relevance at its output, summed over tokens"}},
    [HEEDI_UNIT_NEURON] = {"top_neuron",
                           {"top_neuron_layer", "top_neuron_number",
                            "top_neuron_relevance"},
                           {"layer of the neuron", "number of the neuron",
                            "relevance of the neuron, summed over tokens"}},
};

static heed_status put_top(const heedi_reporting *p, int unit)
{
    for (int i = 0; i < N_COLUMNS; i++) {
        heed_var v = {.name = columns[unit].name[i],
                      .type = i == RELEVANCE ? HEED_TYPE_REAL : HEED_I32,
                      .nd = 1,
                      .dim = {columns[unit].dim},
                      .len = {p->r[0].latent->top[unit].n},
                      .units = i == RELEVANCE ? "target" : "1",
                      .long_name = columns[unit].long_name[i]};
        HEEDI_TRY(heedi_report_rows(p, p->j->group, &v, top_of,
                                    unit * N_COLUMNS + i));
    }
    return HEED_OK;
}

heed_status heedi_report_latent(const heedi_reporting *p)
{
    if (p->j->q->top == 0)
        return put_all(p);
    for (int64_t i = 0; i < p->n; i++)
        heedi_latent_rank(p->r[i].latent);
    for (int unit = 0; unit < HEEDI_N_UNITS; unit++)
        if (p->r[0].latent->top[unit].n > 0)
            HEEDI_TRY(put_top(p, unit));
    return HEED_OK;
}
