#include "json_error.h"

#include "ctx.h"

heed_status heedi_json_fail(heed_ctx *ctx, const char *what,
                            const json_error_t *e)
{
    const char *colon = *what ? ": " : "";
    /* Jansson has no text where an allocation failed, and seldom the code. */
    if (!e->text[0] || json_error_code(e) == json_error_out_of_memory)
        return heedi_fail(ctx, HEED_ENOMEM, "%s%sno memory", what, colon);
    return heedi_fail(ctx, HEED_EFORMAT, "%s%sline %d, column %d: %s", what,
                      colon, e->line, e->column, e->text);
}
