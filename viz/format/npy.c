#include "export.h"
#include "format.h"

static heed_status save(heed_ctx *ctx, heedi_out *o, const heed_result *r)
{
    const heed_array *a = heedi_export_map(ctx, r);
    if (!a)
        return HEED_EINVAL;
    heedi_npy_write(o, a);
    return HEED_OK;
}

const heedi_format heedi_format_npy = {
    .info = {"npy", ".npy", "one map for NumPy", 0, 0, 0, 0},
    .save = save,
};
