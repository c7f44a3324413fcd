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
 * x, dt, y, gy, gx, gdt: rows ld values apart, of which the first `lanes`
 * count; b, c: rows of n_state values, ldb apart; steps follow each other as
 * rows do, so that both distances are negative where time runs back. a:
 * (n_state, LANES), at most 0. A state is (n_state, LANES). Decays that are no
 * normal number are 0; nothing else is exponentiated, so nothing overflows. */
enum { HEEDI_LANES = 16, HEEDI_SCAN_CHUNK = 64, HEEDI_SCAN_PIECE = 8 };
typedef struct heedi_scan {
    int64_t len, n_state, ld, ldb, lanes;
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

/* gla.c: gated linear attention of one head; src/op/gla.c says what the sums
 * are. Rows lie ld, ld_x, ... values apart, or minus so many: then a
 * pass goes back in time. */
enum { HEEDI_GLA_CHUNK = 64, HEEDI_GLA_VALUES = 64 };
typedef struct heedi_gla_gate {
    int64_t len, lanes, ld, to; /* rows of w, and of what is made of it */
    const heed_real *w;
    heed_real tau; /* 0: log decay -exp(w); else -softplus(-w) / tau */
} heedi_gla_gate;
/* y (+)= read S + (sum read bonus write) x,  S = decay S + write x, in this
 * order, or inclusive: S first. */
typedef struct heedi_gla {
    int64_t len, keys, values; /* at most HEEDI_GLA_VALUES channels */
    int64_t ld, ld_x, ld_decay;
    const heed_real *read, *write, *decay, *x;
    const heed_real *bonus; /* (keys), or NULL */
    bool inclusive, add;
} heedi_gla;
/* `lanes` neighbouring keys, all values, at most HEEDI_GLA_CHUNK steps. */
typedef struct heedi_gla_keys {
    int64_t len, lanes, values, ld, ld_v;
    const heed_real *r, *k, *v, *o; /* o: gradient of the output */
    const heed_real *decay, *slope; /* (len, LANES) */
    const heed_real *bonus;
    bool inclusive;
} heedi_gla_keys;
typedef struct heedi_gla_grad {
    heed_real *r, *k, *w; /* assigned, or added to, in this order */
    bool add_r, add_k, add_w;
} heedi_gla_grad;
typedef struct heedi_gla_table {
    /* d: decays; slope: derivative of their logarithm by w, or NULL. Rows of
     * `to` values, of which LANES are written. */
    void (*decay)(const heedi_gla_gate *s, heed_real *d, heed_real *slope);
    /* d: their logarithms; `lanes` are written. */
    void (*logs)(const heedi_gla_gate *s, heed_real *d);
    /* state: (keys, values rounded up to LANES), before and after */
    void (*pass)(const heedi_gla *s, heed_real *state, heed_real *y);
    /* before: the state (values, LANES) at the start; carry: likewise, the
     * gradient of the state at the end, on return at the start. step: len
     * states. */
    void (*keys)(const heedi_gla_keys *s, const heed_real *before,
                 heed_real *carry, const heedi_gla_grad *to, heed_real *step);
    /* out, (HEEDI_GLA_CHUNK) = g k: k (keys, HEEDI_GLA_CHUNK) */
    void (*row)(int64_t keys, const heed_real *g, const heed_real *k,
                heed_real *out);
} heedi_gla_table;
/* wkv.c: the weighted mean of RWKV-4 of HEEDI_LANES neighbouring channels over
 * one sequence (src/op/wkv.c). k, v, y, gy, gk, gv: rows of ld values, of which
 * the first `lanes` count; w, u: (LANES). A state is (3, LANES): numerator,
 * denominator, maximum. Nothing above 0 is exponentiated. */
enum { HEEDI_WKV_CHUNK = 64, HEEDI_WKV_STATE = 3 * HEEDI_LANES };
typedef struct heedi_wkv {
    int64_t len, ld, lanes;
    const heed_real *k, *v;
    const double *w, *u;
} heedi_wkv;
typedef struct heedi_wkv_grad {
    heed_real *k, *v; /* assigned, or added to; k NULL: it is constant */
    bool add_k, add_v;
} heedi_wkv_grad;
typedef struct heedi_wkv_table {
    /* state: before, and after on return. s->v may be NULL: zeros. Where they
     * are not NULL, y: the output; marks: the state before every
     * HEEDI_WKV_CHUNK steps; steps: of each one (3, LANES), the maximum m of
     * the exponents, 1 / (the sum of the weights e^(exponent - m)), y. */
    void (*forward)(const heedi_wkv *s, double *state, heed_real *y,
                    double *marks, double *steps);
    /* Steps from the last to the first. carry: (3, LANES), zero and a maximum
     * of HEEDI_WKV_NONE after the last step of a sequence. */
    void (*back)(const heedi_wkv *s, const double *steps, double *carry,
                 const heed_real *gy, const heedi_wkv_grad *to);
    /* out[i] = inv e^(k[i] + w (n-1-i) - max), at most inv */
    void (*weights)(int64_t n, const double *k, double w, double max,
                    double inv, heed_real *out);
} heedi_wkv_table;
#define HEEDI_WKV_NONE (-1e30) /* the maximum of no exponent */
/* rglru.c: the linear recurrence of HEEDI_LANES neighbouring channels over one
 * sequence, with gates in and rec before their sigmoids:
 *     log a = rate s(rec),  h = a h + (1 - a^2)^1/2 s(in) x,  y = h
 * x, in, rec, y and gradients: rows of ld values, of which the first `lanes`
 * count; rate: (LANES), at most 0. No exponent is positive. */
typedef struct heedi_rglru {
    int64_t len, ld, lanes;
    bool fresh; /* the first step starts a sequence: a = 0, factor s(in) */
    const heed_real *x, *in, *rec, *rate;
} heedi_rglru;
typedef struct heedi_rglru_grad {
    heed_real *x, *in, *rec; /* assigned, or added to */
    bool add_x, add_in, add_rec;
} heedi_rglru_grad;
typedef struct heedi_rglru_table {
    /* h: the state before, (LANES), and after on return. */
    void (*forward)(const heedi_rglru *s, heed_real *h, heed_real *y);
    /* gx (+)= with the gates held constant. x is not read. */
    void (*relevance)(const heedi_rglru *s, const heed_real *gy, heed_real *gx,
                      bool add);
    /* Full gradient of a sequence that starts from zero. */
    void (*vjp)(const heedi_rglru *s, const heed_real *y, const heed_real *gy,
                const heedi_rglru_grad *to);
    /* What the state is multiplied with, one + part, and x, at each step:
     * (len, LANES). `one` is 1 where the decay is closer to 1 than to 0. */
    void (*coefficients)(const heedi_rglru *s, heed_real *one, heed_real *part,
                         heed_real *w);
    /* The logarithm of the former (not of a step that starts a sequence),
     * and the latter: rows of ld values, of which `lanes` are written. */
    void (*logs)(const heedi_rglru *s, heed_real *log, heed_real *w,
                 int64_t ld);
} heedi_rglru_table;
/* hidden.c: rows first ... first+n-1 of the matrices of HEEDI_LANES channels of
 * a selective scan, folded as op.h says (heedi_fold), added to acc. Rows and
 * columns are steps. All rows are of one tile, HIDDEN_TILE rows from q0 on,
 * which rounding depends on, not on which of its rows are asked for; first - q0
 * is a multiple of HIDDEN_TALL. Pointers are to the first of these channels, at
 * the first step of the sequence; steps lie ld values apart, or minus so many,
 * of which the first `lanes` count. b: (n_state, ldb), columns of the sequence,
 * ldb as heedi_hidden_columns(first + n), 0 beyond; c: n_state values, steps
 * ldc apart; a: (n_state, LANES); most: (n_state), largest |C| of the tile's
 * rows; filter: rows of ldw values. acc: rows of lda
 * values, rows rounded up to SUB, columns as ldb; lda a multiple of LANES. */
enum {
    HEEDI_HIDDEN_TILE = 256,
    HEEDI_HIDDEN_SUB = 16,
    HEEDI_HIDDEN_TALL = 8,
    HEEDI_HIDDEN_COLS = 48
};
typedef struct heedi_hidden {
    int64_t q0, first, n, n_state, ld, lanes, ldb, ldc, lda, width, ldw;
    const heed_real *dt, *left, *right, *post, *filter, *b, *c, *a, *most;
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
                          n_state * HEEDI_HIDDEN_COLS + 2 * np + n_state) +
           HEEDI_HIDDEN_SUB * heedi_hidden_line(width) + 2 * np;
}

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

/* fold.c: a tile of `rows` rows and `cols` columns, a multiple of LANES, onto
 * acc: f of each entry
 *     x[r][d] sum over k < taps of g[r][c+k] z[k][c][d], d < depth,
 * and `times` the sum of these (not of the maximum). g NULL: it is 1, one tap.
 * z: (depth, taps, LANES) of the first LANES columns, those of the next ones
 * ldz values further; others: rows of ldg, ldx, ld values. */
typedef struct heedi_entries {
    int64_t rows, cols, depth, taps, ldg, ldx, ldz, ld;
    const heed_real *g, *x, *z;
    heedi_fold_kind f;
    heed_real times, *acc;
} heedi_entries;
typedef struct heedi_fold_table {
    void (*entries)(const heedi_entries *e);
} heedi_fold_table;

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
    extern const heedi_gla_table heedi_gla_table_##isa;       \
    extern const heedi_wkv_table heedi_wkv_table_##isa;       \
    extern const heedi_rglru_table heedi_rglru_table_##isa;   \
    extern const heedi_hidden_table heedi_hidden_table_##isa; \
    extern const heedi_ssd_table heedi_ssd_table_##isa;       \
    extern const heedi_fold_table heedi_fold_table_##isa;
HEEDI_ISA_LIST(X)
#undef X

/* Those of the instruction set in use. */
const heedi_vector_table *heedi_vector(void);
const heedi_scan_table *heedi_scan_kernels(void);
const heedi_gla_table *heedi_gla_kernels(void);
const heedi_wkv_table *heedi_wkv_kernels(void);
const heedi_rglru_table *heedi_rglru_kernels(void);
const heedi_hidden_table *heedi_hidden_kernels(void);
const heedi_ssd_table *heedi_ssd_kernels(void);
const heedi_fold_table *heedi_fold_kernels(void);

#endif
