/* bench_scan THREADS - heed's side of bench_scan.py: the scan of a layer of
 * mamba-130m, 1536 channels and 16 states, alone.
 *
 *   rate            -> ok SECONDS         for 2^24 exponentials on each thread,
 *                                         in the first cache
 *   PASS T DT PAD   -> ok SECONDS SUM     PASS: forward, marked (forward that
 *                                         keeps what the gradient needs),
 *                                         relevance, gradient; DT: init, weak,
 *                                         strong; PAD: dense, padded
 *
 * padded: x is zero but at the first T/16 tokens, gy but at the last, so that
 * states die away through the numbers that are too small to be normal. SUM of
 * what came out is there to be compared. */
#include <omp.h>
#include <stdio.h>

#include "scan_layer.h"

static double sum(const layer *l, const heed_real *x)
{
    double s = 0;
    for (int64_t i = 0; i < l->batch.rows * CHANNELS; i++)
        s += (double)x[i];
    return s;
}

static void pass(layer *l, const char *name)
{
    const bool marks = strcmp(name, "marked") == 0;
    const bool forward = marks || strcmp(name, "forward") == 0;
    const bool gradient = strcmp(name, "gradient") == 0;
    heedi_team team;
    heedi_team_enter(&team, l->ctx);
    l->y.saved = l->saved;
    if (gradient)
        heedi_op_scan.forward(&l->y, &l->run);
    l->y.saved = gradient || marks ? l->saved : NULL;
    double best = HUGE_VAL;
    for (int i = 0; i < 5; i++) {
        double t0 = omp_get_wtime();
        (forward    ? heedi_op_scan.forward
         : gradient ? heedi_op_scan.vjp
                    : heedi_op_scan.relevance)(&l->y, &l->run);
        best = fmin(best, omp_get_wtime() - t0);
    }
    heedi_team_leave(&team);
    printf("ok %.9f %.9g\n", best, sum(l, forward ? l->y.x : l->in[0].g));
}

static void rate(int threads)
{
    enum { AT_ONCE = 1024, TIMES = (1 << 24) / AT_ONCE };
    const heedi_scan_table *k = heedi_scan_kernels();
    double best = HUGE_VAL;
    for (int round = 0; round < 5; round++) {
        double t0 = omp_get_wtime();
#pragma omp parallel num_threads(threads)
        {
            _Alignas(64) heed_real x[AT_ONCE], y[AT_ONCE];
            for (int i = 0; i < AT_ONCE; i++)
                x[i] = (heed_real)(-0.01 * i);
            for (int i = 0; i < TIMES; i++)
                k->decay(AT_ONCE, x, y);
        }
        best = fmin(best, omp_get_wtime() - t0);
    }
    printf("ok %.9f\n", best);
}

static void answer(const char *line, int threads)
{
    static layer l;
    char name[16], dt[16] = "init", pad[16] = "dense";
    long t = 1024;
    if (sscanf(line, "%15s %ld %15s %15s", name, &t, dt, pad) < 1 || t < 1) {
        printf("error no such line\n");
        return;
    }
    if (strcmp(name, "rate") == 0) {
        rate(threads);
        return;
    }
    arrange(&l, t, threads);
    fill(&l, range_named(dt), strcmp(pad, "padded") == 0);
    pass(&l, name);
    heedi_arena_clear(&l.mem);
    heed_ctx_free(l.ctx);
}

int main(int argc, char **argv)
{
    char line[128];
    if (argc != 2)
        return 2;
    printf("ready %s, %s\n", heed_build(), heedi_isa());
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) && strcmp(line, "quit\n") != 0) {
        answer(line, atoi(argv[1]));
        fflush(stdout);
    }
    return 0;
}
