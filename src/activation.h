/* activation.h - the nonlinearities of feed-forward parts, by name. */
#ifndef HEEDI_ACTIVATION_H
#define HEEDI_ACTIVATION_H

#include <stdbool.h>

typedef struct heedi_activation {
    const char *name;    /* canonical */
    const char *aliases; /* other spellings of config.json, space-separated */
    int kernel;          /* HEEDI_ACT_... */
    bool constant;       /* f(0) != 0: as a gate it is held constant under
                            relevance rules */
} heedi_activation;

/* NULL if there is none of that name. */
const heedi_activation *heedi_activation_named(const char *name);
/* i-th row, NULL beyond the end. */
const heedi_activation *heedi_activation_at(int i);

#endif
