/* out.h - a file that appears whole or not at all, and its first error. */
#ifndef HEEDI_OUT_H
#define HEEDI_OUT_H

#include <heed/ctx.h>
#include <stdbool.h>
#include <stdio.h>

#include "ctx.h"

/* Where bytes go. After a failure nothing more is written and `err` keeps its
 * errno, so that only the end needs a check. */
typedef struct heedi_out {
    FILE *f;
    int err;
} heedi_out;

void heedi_out_bytes(heedi_out *o, const void *p, size_t n);
void heedi_out_text(heedi_out *o, const char *s);
void heedi_out_print(heedi_out *o, const char *fmt, ...) HEEDI_PRINTF(2, 3);

/* x with `digits` significant digits,
 * whatever the locale. */
enum { HEEDI_DIGITS = 40 };
void heedi_digits(char buf[HEEDI_DIGITS], double x, int digits);

/* The name under which a file is written, and the one it gets. */
typedef struct heedi_place {
    char *path;   /* as given */
    char *part;   /* PATH.part; the path itself where that is a device or pipe;
                     NULL for standard output */
    bool renames; /* part becomes path */
} heedi_place;

/* HEED_EOUTPUT if the file exists and `force` is 0, or the folder does not. */
heed_status heedi_place_init(heedi_place *p, heed_ctx *ctx, const char *path,
                             int force);
/* part becomes path. */
heed_status heedi_place_commit(heedi_place *p, heed_ctx *ctx);
/* Removes an unfinished part. */
void heedi_place_discard(heedi_place *p);
void heedi_place_clear(heedi_place *p, heed_ctx *ctx);

heed_status heedi_out_open(heedi_out *o, heed_ctx *ctx, const heedi_place *p);
/* Flushes and closes; HEED_EOUTPUT, with the reason, if anything failed. */
heed_status heedi_out_close(heedi_out *o, heed_ctx *ctx, const heedi_place *p);

/* HEED_EOUTPUT with strerror(err). */
heed_status heedi_out_fail(heed_ctx *ctx, const char *path, int err);

#endif
