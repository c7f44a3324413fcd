/* fields.h - fields of a JSON object, with a sentence for each that is wrong.
 */
#ifndef HEEDI_FIELDS_H
#define HEEDI_FIELDS_H

#include <stdio.h>

#include "tokenizer.h"

/* A regular file: opening a pipe would wait for its writer. HEED_EIO. */
heed_status heedi_file_of(FILE **out, heed_ctx *ctx, const char *path);

/* The bytes of a file; *out is freed with heedi_free(), in any case. HEED_EIO,
 * HEED_EFORMAT (over 256 MiB), HEED_ENOMEM. */
heed_status heedi_text_of(char **out, size_t *len, heed_ctx *ctx,
                          const char *path);

/* A field that is missing or null leaves *out as it is; one of another type is
 * HEED_EFORMAT. `where` names the object in messages. */
heed_status heedi_field_bool(heed_ctx *ctx, const json_t *j, const char *where,
                             const char *key, bool *out);
/* Within [0, INT32_MAX], else HEED_EFORMAT. */
heed_status heedi_field_int(heed_ctx *ctx, const json_t *j, const char *where,
                            const char *key, int32_t *out);
/* Borrowed from j. */
heed_status heedi_field_str(heed_ctx *ctx, const json_t *j, const char *where,
                            const char *key, heedi_str *out);
/* HEED_EFORMAT if j is no object, HEED_ENOTSUP if it has a field other than
 * "type" that is not in `fields`, each between spaces. */
heed_status heedi_field_fields(heed_ctx *ctx, const json_t *j,
                               const char *where, const char *fields);

/* Read a part, or a Sequence of them, into `list`. rows end with a NULL name;
 * `group` is "normalizer" or the like, `member` the field of a Sequence. */
heed_status heedi_parts_read(heed_tokenizer *t, heedi_steps *list,
                             const heedi_part *rows, const json_t *j,
                             const char *group, const char *member);

/* The field `pattern`: {"String": "..."}, {"Regex": "..."} or a string. */
heed_status heedi_read_pattern(heed_tokenizer *t, heedi_step *s,
                               const json_t *j);
/* A field that is a string, copied; missing: left as it is. */
heed_status heedi_read_str(heed_tokenizer *t, const heedi_step *s,
                           const json_t *j, const char *key, heedi_str *out);
/* The field `behavior`; missing: left as it is. */
heed_status heedi_read_behavior(heed_tokenizer *t, heedi_step *s,
                                const json_t *j);
/* replacement, prepend_scheme, add_prefix_space and split of Metaspace. */
heed_status heedi_read_metaspace(heed_tokenizer *t, heedi_step *s,
                                 const json_t *j);

#endif
