/* report.h - writing the outcomes of one input. */
#ifndef HEEDI_REPORT_H
#define HEEDI_REPORT_H

#include "job.h"

typedef struct heedi_reporting {
    heedi_job *j;
    const heed_sink *s;
    const heedi_outcome *r;
    int64_t n, len; /* targets, tokens */
} heedi_reporting;

/* (target, x...) or (x...): the target dimension is there if there are
 * several. row: the values of one target. */
heed_status heedi_report_rows(const heedi_reporting *p, const char *group,
                              const heed_var *of_one,
                              const void *(*row)(const heedi_outcome *, int),
                              int arg);

/* Relevance of heads and of neurons, or of the greatest of them. */
heed_status heedi_report_latent(const heedi_reporting *p);

#endif
