/* entry.h - the entries of a ledger as they are drawn. */
#ifndef HEEDI_ENTRY_H
#define HEEDI_ENTRY_H

#include "view.h"

typedef struct heedi_entry_look {
    const char *name;  /* sink_NAME */
    const char *text;  /* "softmax κ" */
    uint32_t color;    /* one for each, in every picture */
    bool is_relevance; /* read out beside the tokens, not absorbed */
} heedi_entry_look;

/* The row of an entry; of one that is not known, a row that says so. */
const heedi_entry_look *heedi_entry_look_of(const char *name);

/* The i-th array sink_NAME of the view's explanation with values of the view's
 * target, or NULL; *n values from *offset on. */
const heed_array *heedi_entry_at(const heedi_view *v, int i, int64_t *n,
                                 int64_t *offset);
const char *heedi_entry_name_of(const heed_array *a);
/* Sum over all operations. */
double heedi_entry_total(const heed_array *a, int64_t n, int64_t offset);

/* The share of relevance in an entry that is no absorption: "position",
 * "type"; NAN if there is none. */
double heedi_entry_share(const heedi_view *v, const char *name);

#endif
