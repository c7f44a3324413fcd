/* method.h - a method is one `const heedi_method` in attribution/<name>.c. */
#ifndef HEEDI_METHOD_H
#define HEEDI_METHOD_H

#include <heed/method.h>

#include "job.h"
#include "rule.h"

typedef struct heedi_method {
    heed_method_info info;
    heedi_pass pass; /* whose rules apply where `rules` has none */
    const heedi_method_rule *rules; /* ends at kind == NULL; NULL: none */
    bool mixing;                    /* `run` asks for mixing views */
    bool has_leaf;      /* relevance is read at a tensor that can be chosen */
    bool gradient_only; /* relevance is g itself, not x g */
    bool tokens_only;   /* relevance inside of the model does not exist */
    const char *units;  /* of its relevance; NULL: as of a gradient */
    /* What the bounds of options cannot say, what the run will need of the
     * engine, in j->o, and rules with numbers: heedi_job_rule(). NULL:
     * nothing. */
    heed_status (*check)(heedi_job *j);
    /* What can only be seen with all rules, the caller's too; or NULL. */
    heed_status (*settled)(heedi_job *j);
    /* The plan; NULL: that of one run over all inputs. */
    heed_status (*plan)(heedi_job *j, heed_plan *out);
    heed_status (*run)(heedi_job *j);
} heedi_method;

/* A method file writes its options once, as OPTIONS(O); these expand the list
 * to indices into job->opt and to the table. */
#define HEEDI_OPTION_INDEX(id, type, def, min, max, help) opt_##id,
#define HEEDI_OPTION_ROW(id, type, def, min, max, help) \
    {#id, help, type, def, min, max},

/* method_options.c: j->opt from the defaults and the caller's settings, each
 * checked against its bounds; j->reduce. HEED_EINVAL names what is wrong. */
heed_status heedi_method_options(heedi_job *j);
heed_status heedi_method_reduction(heedi_job *j, const heedi_method *m);

#endif
