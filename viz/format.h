/* format.h - a file format: one const row per file of viz/format/. */
#ifndef HEEDI_FORMAT_H
#define HEEDI_FORMAT_H

#include <heed/file.h>
#include <stdbool.h>

#include "out.h"

/* A row has either `save` or the streaming functions. */
typedef struct heedi_format {
    heed_format_info info;

    /* A whole result, once it is known. Failures of the output itself are
     * remembered by `o` and need not be returned. */
    heed_status (*save)(heed_ctx *ctx, heedi_out *o, const heed_result *r);

    /* Slab by slab. open() makes what the sink functions get as `ud`; finish()
     * completes the file; drop() frees `ud` in any case. No call follows one
     * that failed, except drop(). */
    heed_status (*open)(void **ud, heed_ctx *ctx, const heedi_place *place);
    heed_status (*define)(void *ud, heed_ctx *ctx, const heed_var *var);
    heed_status (*write)(void *ud, heed_ctx *ctx, const char *group,
                         const char *name, const int64_t *start,
                         const int64_t *count, const void *data);
    heed_status (*attr)(void *ud, heed_ctx *ctx, const char *group,
                        const char *key, heed_attr value);
    heed_status (*finish)(void *ud, heed_ctx *ctx);
    void (*drop)(void *ud, heed_ctx *ctx);

    /* All of a file that can be opened, into a sink; NULL: is not read. */
    heed_status (*load)(heed_ctx *ctx, const char *path, const heed_sink *to);

    /* The library under it says nothing on stderr from now on; NULL: it never
     * does. */
    void (*quiet)(void);
} heedi_format;

#endif
