#include <heed/process.h>

#include <cblas.h>
#include <dlfcn.h>
#include <omp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctx.h"
#include "kernel.h"

/* Kernels of OpenBLAS that use less than the processor has. */
static const char *const sse[] = {"Prescott",   "Core2",   "Nehalem", "Penryn",
                                  "Barcelona",  "Atom",    "Opteron", "Bobcat",
                                  "Dunnington", "Generic", NULL};
static const char *const avx2[] = {"Haswell",   "Zen",        "Sandybridge",
                                   "Bulldozer", "Piledriver", "Steamroller",
                                   "Excavator", NULL};

static bool among(const char *const *list, const char *name)
{
    for (; *list; list++)
        if (strcasecmp(*list, name) == 0)
            return true;
    return false;
}

static const char *core(void)
{
    const char *(*name)(void) = NULL;
    void *f = dlsym(RTLD_DEFAULT, "openblas_get_corename");
    memcpy(&name, &f, sizeof f); /* an object pointer may hold a function's */
    return f ? name() : "";
}

/* The kernels that this processor should have, or NULL if those in use do. */
static const char *better(void)
{
    const char *now = core();
    if (!*now || getenv("OPENBLAS_CORETYPE"))
        return NULL;
    if (heedi_isa_index() == 2 && (among(sse, now) || among(avx2, now)))
        return "SkylakeX";
    if (heedi_isa_index() == 1 && among(sse, now))
        return "Haswell";
    return NULL;
}

static void choose_kernels(heed_ctx *ctx)
{
    const char *want = better();
    if (!want)
        return;
    void (*quit)(void), (*init)(void);
    void *q = dlsym(RTLD_DEFAULT, "gotoblas_dynamic_quit");
    void *i = dlsym(RTLD_DEFAULT, "gotoblas_dynamic_init");
    memcpy(&quit, &q, sizeof q);
    memcpy(&init, &i, sizeof i);
    if (q && i) {
        setenv("OPENBLAS_CORETYPE", want, 1);
        quit();
        init();
        unsetenv("OPENBLAS_CORETYPE");
    }
    if (strcasecmp(core(), want) != 0)
        heedi_warn(ctx,
                   "OpenBLAS uses its slow '%s' kernels on this processor; set "
                   "OPENBLAS_CORETYPE=%s",
                   core(), want);
}

/* Binding is done from inside a team: libgomp has read OMP_PROC_BIND before
 * main() begins. */
static void bind_threads(heed_ctx *ctx)
{
    cpu_set_t all;
    if (getenv("OMP_PROC_BIND") || getenv("GOMP_CPU_AFFINITY") ||
        getenv("OMP_PLACES") || sched_getaffinity(0, sizeof all, &all) != 0)
        return;
    int n = heed_ctx_thread_count(ctx);
    if (n != CPU_COUNT(&all) || n < 2)
        return;
    ctx->threads = n; /* a bound thread no longer sees how many there are */
    omp_set_num_threads(n);
#pragma omp parallel
    {
        int k = omp_get_thread_num();
        for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
            if (CPU_ISSET(cpu, &all) && k-- == 0) {
                cpu_set_t one;
                CPU_ZERO(&one);
                CPU_SET(cpu, &one);
                sched_setaffinity(0, sizeof one, &one);
            }
    }
}

void heed_tune_process(heed_ctx *ctx)
{
    choose_kernels(ctx);
    bind_threads(ctx);
}

const char *heed_build(void)
{
    static char text[256];
    if (!text[0])
        snprintf(text, sizeof text, "%s, %s", heedi_isa(),
                 openblas_get_config());
    return text;
}
