/* json.h - JSON piece by piece, straight to a file. */
#ifndef HEEDI_JSON_H
#define HEEDI_JSON_H

#include <heed/result.h>

#include "out.h"

typedef struct heedi_json {
    heedi_out *o;
    bool comma; /* a value came before in this list or object */
} heedi_json;

/* key == NULL in a list. */
void heedi_json_open(heedi_json *j, const char *key, char bracket);
void heedi_json_close(heedi_json *j, char bracket);
void heedi_json_text(heedi_json *j, const char *key, const char *s);
void heedi_json_int(heedi_json *j, const char *key, int64_t x);
void heedi_json_bool(heedi_json *j, const char *key, bool x);
/* 9 significant digits; what is not finite is null. */
void heedi_json_real(heedi_json *j, const char *key, double x);
/* The i-th value of an array, by its type. */
void heedi_json_value(heedi_json *j, const char *key, heed_type t,
                      const void *data, int64_t i);
/* Text that is JSON already; as a string if it is not. */
void heedi_json_raw(heedi_json *j, const char *key, const char *s);
/* Values from `at` on, as lists of lists. */
void heedi_json_nested(heedi_json *j, const char *key, heed_type t,
                       const void *data, int nd, const int64_t *len,
                       int64_t at);

/* The document of docs/formats.md, on one line. */
heed_status heedi_document(heed_ctx *ctx, heedi_out *o, const heed_result *r);

#endif
