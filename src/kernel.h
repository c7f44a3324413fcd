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

typedef enum heedi_fold_kind {
    HEEDI_FOLD_SUM,
    HEEDI_FOLD_POSITIVE, /* of max(a, 0) */
    HEEDI_FOLD_ABSOLUTE,
    HEEDI_FOLD_SQUARE,
    HEEDI_FOLD_MAX, /* the greatest a, signed */
    HEEDI_N_FOLD
} heedi_fold_kind;

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

/* hidden.c: rows q0 ... q0+nq-1 of the matrices of HEEDI_LANES channels of a
 * selective scan, folded as op.h says (heedi_fold), added to acc. Pointers are
 * to the first of these channels, at the first row of the sequence; rows of ld
 * values, of which the first `lanes` count. b: (n_state, ldb), columns of the
 * sequence, ldb as heedi_hidden_columns(q0 + nq), 0 beyond; c: rows of n_state;
 * a: (n_state, LANES). acc: rows of lda values, rows rounded up to SUB, columns
 * as ldb; lda a multiple of LANES. */
enum { HEEDI_HIDDEN_SUB = 16, HEEDI_HIDDEN_COLS = 48 };
typedef struct heedi_hidden {
    int64_t q0, nq, n_state, ld, lanes, ldb, lda, width;
    const heed_real *dt, *left, *right, *post, *filter, *b, *c, *a;
    heedi_fold_kind f;
    heed_real *acc;
} heedi_hidden;

/* Columns, with what is read and written beyond the last. */
static inline int64_t heedi_hidden_columns(int64_t n)
{
    return (n + HEEDI_LANES - 1) / HEEDI_LANES * HEEDI_LANES +
           2 * HEEDI_HIDDEN_COLS;
}

/* Columns near the diagonal, and of a panel before its filter. */
static inline int64_t heedi_hidden_line(int64_t width)
{
    return (width + HEEDI_LANES - 1) / HEEDI_LANES * 2 * HEEDI_LANES +
           2 * HEEDI_HIDDEN_COLS;
}

typedef struct heedi_hidden_table {
    void (*fold)(const heedi_hidden *h, heed_real *work);
} heedi_hidden_table;

/* Values of `work`. */
static inline int64_t heedi_hidden_work(int64_t end, int64_t nq,
                                        int64_t n_state, int64_t width)
{
    const int64_t np = (n_state + HEEDI_LANES - 1) / HEEDI_LANES * HEEDI_LANES;
    const int64_t rows =
        (nq + HEEDI_HIDDEN_SUB - 1) / HEEDI_HIDDEN_SUB * HEEDI_HIDDEN_SUB;
    return HEEDI_LANES * (4 * heedi_hidden_columns(end) + rows * np +
                          n_state * HEEDI_HIDDEN_COLS + np + n_state) +
           HEEDI_HIDDEN_SUB * heedi_hidden_line(width) + np;
}

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
    extern const heedi_hidden_table heedi_hidden_table_##isa;
HEEDI_ISA_LIST(X)
#undef X

/* Those of the instruction set in use. */
const heedi_vector_table *heedi_vector(void);
const heedi_scan_table *heedi_scan_kernels(void);
const heedi_hidden_table *heedi_hidden_kernels(void);

#endif
