/* json_error.h - why a JSON document was not read. */
#ifndef HEEDI_JSON_ERROR_H
#define HEEDI_JSON_ERROR_H

#include <heed/ctx.h>
#include <jansson.h>

/* HEED_ENOMEM, or HEED_EFORMAT with the place. `what` names the document; ""
 * names nothing. */
heed_status heedi_json_fail(heed_ctx *ctx, const char *what,
                            const json_error_t *e);

#endif
