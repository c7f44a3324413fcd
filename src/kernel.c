#include "kernel.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
#define X(isa) #isa,
    HEEDI_ISA_LIST(X)
#undef X
};
enum { N_ISA = sizeof names / sizeof *names };

static int best(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bw"))
        return 2;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return 1;
#endif
    return 0;
}

/* Written once with the same value by whoever comes first. */
int heedi_isa_index(void)
{
    static _Atomic int chosen = -1;
    if (chosen < 0) {
        int i = best();
        const char *want = getenv("HEED_ISA");
        for (int k = 0; want && k < i; k++)
            if (strcmp(want, names[k]) == 0)
                i = k;
        chosen = i;
    }
    return chosen;
}

const char *heedi_isa(void)
{
    return names[heedi_isa_index()];
}

const heedi_vector_table *heedi_vector(void)
{
    static const heedi_vector_table *const tables[] = {
#define X(isa) &heedi_vector_table_##isa,
        HEEDI_ISA_LIST(X)
#undef X
    };
    return tables[heedi_isa_index()];
}

const heedi_hidden_table *heedi_hidden_kernels(void)
{
    static const heedi_hidden_table *const tables[] = {
#define X(isa) &heedi_hidden_table_##isa,
        HEEDI_ISA_LIST(X)
#undef X
    };
    return tables[heedi_isa_index()];
}

const heedi_scan_table *heedi_scan_kernels(void)
{
    static const heedi_scan_table *const tables[] = {
#define X(isa) &heedi_scan_table_##isa,
        HEEDI_ISA_LIST(X)
#undef X
    };
    return tables[heedi_isa_index()];
}

const heedi_gla_table *heedi_gla_kernels(void)
{
    static const heedi_gla_table *const tables[] = {
#define X(isa) &heedi_gla_table_##isa,
        HEEDI_ISA_LIST(X)
#undef X
    };
    return tables[heedi_isa_index()];
}

const heedi_wkv_table *heedi_wkv_kernels(void)
{
    static const heedi_wkv_table *const tables[] = {
#define X(isa) &heedi_wkv_table_##isa,
        HEEDI_ISA_LIST(X)
#undef X
    };
    return tables[heedi_isa_index()];
}

const heedi_rglru_table *heedi_rglru_kernels(void)
{
    static const heedi_rglru_table *const tables[] = {
#define X(isa) &heedi_rglru_table_##isa,
        HEEDI_ISA_LIST(X)
#undef X
    };
    return tables[heedi_isa_index()];
}

const heedi_ssd_table *heedi_ssd_kernels(void)
{
    static const heedi_ssd_table *const tables[] = {
#define X(isa) &heedi_ssd_table_##isa,
        HEEDI_ISA_LIST(X)
#undef X
    };
    return tables[heedi_isa_index()];
}

const heedi_fold_table *heedi_fold_kernels(void)
{
    static const heedi_fold_table *const tables[] = {
#define X(isa) &heedi_fold_table_##isa,
        HEEDI_ISA_LIST(X)
#undef X
    };
    return tables[heedi_isa_index()];
}
