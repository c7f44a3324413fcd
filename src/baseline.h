/* baseline.h - the embedding that stands for an absent token: "zero", "pad"
 * (the tokenizer's), "mean" (of all tokens), "token:ID". */
#ifndef HEEDI_BASELINE_H
#define HEEDI_BASELINE_H

#include "job.h"

/* What an option says of it, for its help. */
#define HEEDI_BASELINE_HELP "zero, pad, mean (of all embeddings) or token:ID"

struct heedi_baseline_kind;

typedef struct heedi_baseline {
    const struct heedi_baseline_kind *kind;
    int32_t id;
} heedi_baseline;

/* Read the text of an option, and tell the plan. HEED_EINVAL names what is not
 * understood, an id out of range, a tokenizer without padding. */
heed_status heedi_baseline_read(heedi_baseline *b, heedi_job *j,
                                const char *option, const char *text);

/* Is it 0, and no token? */
bool heedi_baseline_is_zero(const heedi_baseline *b);

/* Its C values. */
heed_status heedi_baseline_row(const heedi_baseline *b, heedi_exec *e,
                               heed_real *row);

#endif
