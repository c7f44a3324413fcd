#include "mamba.h"
#include "ctx.h"

#include <string.h>

/* Mamba (Gu and Dao 2023, arXiv:2312.00752), Hugging Face and state-spaces
 * naming:
 *     [x|z] = W_in n,  n = norm(u);  p = conv(x);  s = f(p)
 *     [r|B|C] = W_x s;  dt = softplus(W_dt r + b);  A = -exp(A_log)
 *     y = scan(s, dt, B, C; A, D);  u += W_out (f(z) y)
 * E channels, N states, R time-step rank, W filter width. A GGUF file holds A
 * itself. */

static const heedi_key keys[] = {HEEDI_MAMBA_KEYS(""), {0}};

/* Parts of the configuration that make another model. */
static heed_status refuse(heed_model *m)
{
    heedi_value cfg = heedi_key_value(m, "ssm_cfg", "");
    heedi_value layer = heedi_key_value(m, "ssm_cfg.layer", "");
    heedi_value rms = heedi_key_value(m, "rms_norm", "");
    heedi_value norms = heedi_key_value(m, "", "ssm.dt_b_c_rms");
    if (layer.kind == HEEDI_STR && strcmp(layer.s, "Mamba1") != 0)
        return heedi_fail(m->ctx, HEED_ENOTSUP,
                          "%s: layers of type '%s' are not supported",
                          m->info.path, layer.s);
    HEEDI_TRY(heedi_mamba_no_hybrid(m));
    if (norms.kind != HEEDI_BOOL && norms.kind != HEEDI_ABSENT)
        return heedi_fail(m->ctx, HEED_EFORMAT,
                          "%s: 'mamba.ssm.dt_b_c_rms' is not true or false",
                          m->info.path);
    if (cfg.kind != HEEDI_OBJECT && cfg.kind != HEEDI_ABSENT &&
        cfg.kind != HEEDI_NULL)
        return heedi_fail(m->ctx, HEED_EFORMAT, "%s: 'ssm_cfg' is no object",
                          m->info.path);
    if (rms.kind == HEEDI_BOOL && !rms.i)
        return heedi_fail(m->ctx, HEED_ENOTSUP,
                          "%s: rms_norm false is not supported", m->info.path);
    return HEED_OK;
}

static heed_status configure(heed_model *m)
{
    HEEDI_TRY(refuse(m));
    return heedi_mamba_configure(m, "");
}

const heedi_family heedi_family_mamba = {
    .info = {.name = "mamba",
             .gguf = "mamba",
             .summary = "Mamba 1, Hugging Face and state-spaces naming",
             .method = "mamba_lrp"},
    .prefix = "backbone.",
    .params = heedi_mamba_params,
    .keys = keys,
    .size = sizeof(heedi_mamba),
    .configure = configure,
    .finish = heedi_mamba_finish,
    .build = heedi_mamba_build,
};
