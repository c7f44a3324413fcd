/* method.h - a method is one `const heedi_method` in attribution/<name>.c. */
#ifndef HEEDI_METHOD_H
#define HEEDI_METHOD_H

#include <heed/method.h>

#include "job.h"

typedef struct heedi_method {
    heed_method_info info;
    heedi_pass pass;         /* whose rules apply where `rules` has none */
    const heedi_rule *rules; /* overrides, ends at op == NULL; NULL: none */
    bool mixing;             /* `run` asks for mixing views */
    bool gradient_only;      /* relevance is g itself, not x g */
    const char *needs;       /* an operation that a model must have; or NULL */
    heed_status (*run)(heedi_job *j);
} heedi_method;

/* A method file writes its options once, as OPTIONS(O); these expand the list
 * to indices into job->opt and to the table. */
#define HEEDI_OPTION_INDEX(id, type, def, min, max, help) opt_##id,
#define HEEDI_OPTION_ROW(id, type, def, min, max, help) \
    {#id, help, type, def, min, max},

#endif
