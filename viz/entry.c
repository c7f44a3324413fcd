#include "entry.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "result.h"

static const char prefix[] = "sink_";

/* Hues that stay apart for most eyes; none is that of a token's relevance. */
static const heedi_entry_look looks[] = {
    {"kappa", "softmax \xce\xba", 0xe08214, false},
    {"bias", "biases", 0x1b9e77, false},
    {"beta", "norm shifts \xce\xb2", 0x8073ac, false},
    {"kappa_router", "router softmax \xce\xba", 0xd8b365, false},
    {"pos_bias", "score biases", 0xa6761d, false},
    {"softcap", "soft-capping", 0x66a61e, false},
    {"gate", "gates", 0xe7298a, false},
    {"unread", "embeddings not read out", 0x80745c, false},
    {"leak", "dropped shares", 0x999999, false},
    {"eps", "stabilisers", 0xbdbdbd, false},
    {"target", "target less \xe2\x9f\xa8seed, logits\xe2\x9f\xa9", 0x7f7f7f,
     false},
    {"baseline", "value at the baseline", 0xb3a06b, false},
    {"position", "positions", 0x01857f, true},
    {"type", "token types", 0x66c2e0, true},
    {"prefix", "learned tokens", 0x4d9221, true},
};
static const heedi_entry_look unknown = {"", "other", 0x555555, false};

const heedi_entry_look *heedi_entry_look_of(const char *name)
{
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++)
        if (strcmp(looks[i].name, name) == 0)
            return &looks[i];
    return &unknown;
}

const char *heedi_entry_name_of(const heed_array *a)
{
    return a->var.name + strlen(prefix);
}

const heed_array *heedi_entry_at(const heedi_view *v, int i, int64_t *n,
                                 int64_t *offset)
{
    char group[256];
    const heed_array *a;
    int length = snprintf(group, sizeof group, "%s/ledger", v->group);
    if (length < 0 || (size_t)length >= sizeof group)
        return NULL;
    for (int k = 0; (a = heed_result_at(v->r, k)); k++) {
        const heed_var *w = &a->var;
        if (strcmp(w->group, group) != 0 || w->type == HEED_STR ||
            strncmp(w->name, prefix, strlen(prefix)) != 0 || w->nd < 1 ||
            w->nd > 2 || (w->nd == 2 && v->target >= w->len[0]) || i-- > 0)
            continue;
        *n = w->len[w->nd - 1];
        *offset = w->nd == 2 ? v->target * *n : 0;
        return a;
    }
    return NULL;
}

double heedi_entry_total(const heed_array *a, int64_t n, int64_t offset)
{
    double sum = 0;
    for (int64_t j = 0; j < n; j++)
        sum += heedi_number(a->var.type, a->data, offset + j);
    return sum;
}

double heedi_entry_share(const heedi_view *v, const char *name)
{
    int64_t n, offset;
    const heed_array *a;
    for (int i = 0; (a = heedi_entry_at(v, i, &n, &offset)); i++)
        if (strcmp(heedi_entry_name_of(a), name) == 0)
            return heedi_entry_total(a, n, offset);
    return (double)NAN;
}
