/* kernel.h - inner loops that exist once for each instruction set.
 *
 * Every file src/kernel/<name>.c is compiled several times, with HEEDI_ISA set
 * to base, avx2 or avx512, and defines one table HEEDI_K(heedi_<name>). The
 * best one that the processor has is picked at the first use. Vector code is
 * written with GCC vector extensions or intrinsics guarded by the compiler's
 * own feature macros (__AVX512F__, __AVX2__). All functions are plain loops:
 * no allocation, no threads. */
#ifndef HEEDI_KERNEL_H
#define HEEDI_KERNEL_H

#include "dtype.h"

#define HEEDI_PASTE_(a, b) a##_##b
#define HEEDI_PASTE(a, b)  HEEDI_PASTE_(a, b)
#define HEEDI_K(name)      HEEDI_PASTE(name, HEEDI_ISA)

#if defined(__x86_64__)
#define HEEDI_ISA_LIST(X) X(base) X(avx2) X(avx512)
#else
#define HEEDI_ISA_LIST(X) X(base)
#endif

/* An activation f of a feed-forward part: one row for each, in vector.c.
 * quotient is f(x)/x in closed form, never a division (arXiv:2402.05602). */
// clang-format off
#define HEEDI_ACT_LIST(X) \
    X(silu) \
    X(gelu) \
    X(gelu_tanh) \
    X(gelu_fast) \
    X(gelu_bloom) \
    X(gelu_10) \
    X(quick_gelu) \
    X(relu) \
    X(relu2) \
    X(relu6) \
    X(leaky_relu) \
    X(mish) \
    X(tanh) \
    X(elu) \
    X(linear) \
    X(sigmoid) \
    X(laplace) \
    X(softplus)
// clang-format on

enum {
#define X(name) HEEDI_ACT_##name,
    HEEDI_ACT_LIST(X)
#undef X
        HEEDI_N_ACT
};

typedef struct heedi_act_kernels {
    /* y = f(a) */
    void (*f)(size_t n, const heed_real *a, heed_real *y);
    /* ga += f'(a) g, ga += f(a)/a g */
    void (*df)(size_t n, const heed_real *a, const heed_real *g, heed_real *ga);
    void (*qf)(size_t n, const heed_real *a, const heed_real *g, heed_real *ga);
    /* y = f(a) u */
    void (*glu)(size_t n, const heed_real *a, const heed_real *u, heed_real *y);
    /* ga = c f'(a) u g or c f(a)/a u g, gu = d f(a) g; assigned */
    void (*dglu)(size_t n, const heed_real *a, const heed_real *u,
                 const heed_real *g, heed_real c, heed_real d, heed_real *ga,
                 heed_real *gu);
    void (*qglu)(size_t n, const heed_real *a, const heed_real *u,
                 const heed_real *g, heed_real c, heed_real d, heed_real *ga,
                 heed_real *gu);
} heedi_act_kernels;

/* vector.c */
typedef struct heedi_vector_table {
    heedi_act_kernels act[HEEDI_N_ACT];
    void (*add)(size_t n, const heed_real *a, const heed_real *b,
                heed_real *y);                                 /* y = a + b */
    void (*addto)(size_t n, const heed_real *a, heed_real *y); /* y += a */
    double (*dot)(size_t n, const heed_real *a, const heed_real *b);
    /* y = c x w, and y += c g w */
    void (*scale)(size_t n, const heed_real *x, const heed_real *w, heed_real c,
                  heed_real *y);
    void (*scale_add)(size_t n, const heed_real *g, const heed_real *w,
                      heed_real c, heed_real *y);
    /* y += c x */
    void (*axpy)(size_t n, heed_real c, const heed_real *x, heed_real *y);
    /* s[0 ... len) becomes softmax(scale s); returns log sum exp(scale s). */
    heed_real (*softmax)(size_t len, heed_real *s, heed_real scale);
    /* s becomes exp(scale s - lse). */
    void (*exp_lse)(size_t len, heed_real *s, heed_real scale, heed_real lse);
    /* s becomes c p (s - delta). */
    void (*softmax_back)(size_t len, heed_real *s, const heed_real *p,
                         heed_real c, heed_real delta);
    double (*sum_exp)(size_t n, const heed_real *x, heed_real max);
} heedi_vector_table;

/* scan.c: the selective scan of HEEDI_LANES neighbouring channels over one
 * sequence:  h[n] = exp(dt a[n]) h[n] + dt b[n] x,  y = sum c[n] h[n] + d x.
 * x, dt, y, gy, gx, gdt: rows of ld values, of which the first `lanes` count;
 * b, c, gb, gc: rows of n_state. a: (n_state, LANES), at most 0. A state is
 * (n_state, LANES). Decays that are no normal number are 0; nothing else is
 * exponentiated, so nothing overflows. */
enum { HEEDI_LANES = 16, HEEDI_SCAN_CHUNK = 64, HEEDI_SCAN_PIECE = 8 };
typedef struct heedi_scan {
    int64_t len, n_state, ld, lanes;
    const heed_real *x, *dt, *b, *c, *a, *d;
} heedi_scan;
typedef struct heedi_scan_grad {
    heed_real *x, *dt; /* assigned, or added to */
    bool add_x, add_dt;
    heed_real *sum; /* (len, n_state, 2, LANES), added to: for b and for c */
} heedi_scan_grad;
typedef struct heedi_scan_table {
    /* h: the state before, and after on return. marks: NULL, or room for the
     * state before every HEEDI_SCAN_CHUNK steps. */
    void (*forward)(const heedi_scan *s, heed_real *h, heed_real *y,
                    heed_real *marks);
    /* gx (+)= with dt, b, c held constant; g: a state, zero at the start. x is
     * not read. The bits are those that vjp gives to x. */
    void (*relevance)(const heedi_scan *s, heed_real *g, const heed_real *gy,
                      heed_real *gx, bool add);
    /* The state before every HEEDI_SCAN_PIECE steps, from h before the first.
     * work: one state. */
    void (*restate)(const heedi_scan *s, const heed_real *h, heed_real *work,
                    heed_real *marks);
    /* A piece of at most HEEDI_SCAN_PIECE steps, full gradient: h the state
     * before it, g carried from the piece after it. work: 2 PIECE + 3 states.
     */
    void (*vjp)(const heedi_scan *s, const heed_real *h, heed_real *g,
                const heed_real *gy, const heedi_scan_grad *to,
                heed_real *work);
    /* sum: (n, 2, LANES) to the sums over the lanes, gb and gc */
    void (*fold)(int64_t n, const heed_real *sum, heed_real *gb, heed_real *gc);
    /* y = exp(x) as the scan takes it, x <= 0; n a multiple of LANES */
    void (*decay)(int64_t n, const heed_real *x, heed_real *y);
} heedi_scan_table;

/* ssd.c: one chunk of one head of a state space whose decay is a number for
 * each head and step, exp(l), l <= 0. Matrices (len, SSD_CHUNK), of which a
 * row r has the columns up to r, zeros up to len, and anything beyond. */
enum { HEEDI_SSD_CHUNK = 64 };
typedef struct heedi_ssd_table {
    /* m[r][c] = exp(l[c+1] + ... + l[r]), in[r] = exp(l[0] + ... + l[r]) of
     * SSD_CHUNK values. What is no normal number is 0. */
    void (*decays)(int64_t len, const heed_real *l, heed_real *m,
                   heed_real *in);
    /* m[r][c] = gram[r][c] decay[r][c] dt[c], skip added on the diagonal */
    void (*weights)(int64_t len, const heed_real *gram, const heed_real *decay,
                    const heed_real *dt, heed_real skip, heed_real *m);
    /* y[r] = w[r] x[r], rows of n values; y without gaps */
    void (*rows)(int64_t len, int64_t n, const heed_real *x, int64_t ld,
                 const heed_real *w, heed_real *y);
    /* From the gradient gm of `weights`: gg += of gram, gdt += of dt, gl = of
     * the l in the decays. */
    void (*pairs)(int64_t len, const heed_real *gm, const heed_real *gram,
                  const heed_real *decay, const heed_real *dt, heed_real *gg,
                  heed_real *gdt, heed_real *gl);
} heedi_ssd_table;

/* decode.c: one for each dtype */
enum { HEEDI_N_DECODE = 12 };
typedef struct heedi_decode_table {
    heedi_decode_fn *decode[HEEDI_N_DECODE];
} heedi_decode_table;

/* The instruction set in use: "avx512". HEED_ISA=avx2 in the environment picks
 * another one, for tests. */
const char *heedi_isa(void);
int heedi_isa_index(void); /* 0 base, 1 avx2, 2 avx512 */

#define X(isa)                                                \
    extern const heedi_decode_table heedi_decode_table_##isa; \
    extern const heedi_vector_table heedi_vector_table_##isa; \
    extern const heedi_scan_table heedi_scan_table_##isa;     \
    extern const heedi_ssd_table heedi_ssd_table_##isa;
HEEDI_ISA_LIST(X)
#undef X

/* Those of the instruction set in use. */
const heedi_vector_table *heedi_vector(void);
const heedi_scan_table *heedi_scan_kernels(void);
const heedi_ssd_table *heedi_ssd_kernels(void);

#endif
