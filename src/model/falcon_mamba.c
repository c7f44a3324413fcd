#include "ctx.h"
#include "mamba.h"

/* Falcon Mamba (Zuo et al. 2024, arXiv:2410.05355): Mamba 1 (mamba.c) whose r,
 * B and C are divided by their root mean square, without a gain:
 *     dt = softplus(W_dt rms(r) + b),  y = scan(s, dt, rms(B), rms(C); A, D)
 * The norms lie inside what relevance holds constant. GGUF files are of
 * architecture mamba, with one epsilon for all norms. */

static const heedi_key keys[] = {HEEDI_MAMBA_KEYS("intermediate_size"), {0}};

static heed_status configure(heed_model *m)
{
    heedi_mamba *a = m->impl;
    HEEDI_TRY(heedi_mamba_configure(m, "intermediate_size"));
    return heedi_key_eps(m, "mixer_rms_eps", "attention.layer_norm_rms_epsilon",
                         m->gguf ? a->norm.eps : 1e-6, &a->mixer_norm.eps);
}

static heed_status finish(heed_model *m)
{
    heedi_mamba *a = m->impl;
    const int64_t n = m->dim['R'] > m->dim['N'] ? m->dim['R'] : m->dim['N'];
    heed_real *ones = heedi_arena_alloc(&m->mem, (size_t)n * sizeof *ones);
    if (!ones)
        return HEED_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        ones[i] = 1;
    a->ones = ones;
    return heedi_mamba_finish(m);
}

const heedi_family heedi_family_falcon_mamba = {
    .info = {.name = "falcon_mamba",
             .gguf = "mamba",
             .summary = "Falcon Mamba: Mamba 1 with norms of dt, B and C",
             .method = "mamba_lrp"},
    .gguf_if = "ssm.dt_b_c_rms",
    .prefix = "backbone.",
    .params = heedi_mamba_params,
    .keys = keys,
    .size = sizeof(heedi_mamba),
    .configure = configure,
    .finish = finish,
    .build = heedi_mamba_build,
};
