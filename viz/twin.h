/* twin.h - a file that changes many times, and is whole at every moment.
 *
 * There are two files: PATH, which is never written, and PATH.part, in which
 * the next state is made. A commit exchanges their names in one step; then what
 * was changed is copied to the other file, which is the next PATH.part. */
#ifndef HEEDI_TWIN_H
#define HEEDI_TWIN_H

#include <heed/ctx.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct heedi_twin {
    char *path, *part, *folder;
    int fd;     /* of part, locked; -1: none is ready */
    bool fresh; /* PATH, if it is there, is not to be continued */
    bool ours;  /* part is this process's */
} heedi_twin;

typedef struct heedi_twin_range {
    uint64_t from, to;
} heedi_twin_range;

/* Names and the lock. HEED_EOUTPUT if another process holds it. */
heed_status heedi_twin_init(heedi_twin *t, heed_ctx *ctx, const char *path,
                            bool fresh);
/* PATH.part has what PATH has; *exists: whether that is anything. */
heed_status heedi_twin_ready(heedi_twin *t, heed_ctx *ctx, bool *exists);
/* PATH.part becomes PATH. changed: where they differ; NULL: anywhere. */
heed_status heedi_twin_commit(heedi_twin *t, heed_ctx *ctx,
                              const heedi_twin_range *changed, size_t n);
/* Removes PATH.part. */
void heedi_twin_clear(heedi_twin *t, heed_ctx *ctx);

#endif
