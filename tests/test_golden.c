/* Every golden model against what transformers and a restatement of the rules
 * made of it in float64; prints a table of the largest differences, each
 * relative to the largest value. tests/golden/llama.py tells of the arrays, and
 * vit.py of those of models that read images.
 * GOLDEN=name takes one model. */
#include "testlib.h"

#include <dirent.h>

#include "exec.h"
#include "expect.h"
#include "head.h"
#include "patches.h"
#include "target.h"
#include "words.h"

enum { LOGITS, BLOCKS, ATTENTION, GRADIENT, LRP, ACCOUNT, N_COLUMNS };
static const char *const column[] = {"logits",   "blocks", "attn",
                                     "gradient", "lrp",    "account"};
/* float32: what the project promises. (Between the blocks of a model whose rows
 * differ a thousandfold in size, float32 is worth a digit less than at its
 * end.) double: the same in rounding. */
static const double limit_f[] = {3e-6, 1e-5, 3e-6, 1e-5, 2e-5, 1e-5};
static const double limit_d[] = {1e-11, 1e-11, 1e-11, 1e-11, 1e-11, 1e-12};

typedef struct row {
    double worst[N_COLUMNS];
    int seen[N_COLUMNS];
} row;

static double limit(int c)
{
    return sizeof(heed_real) == 4 ? limit_f[c] : limit_d[c];
}

/* max |got - want| / max |want| */
static void compare(row *r, int c, const heed_real *got, const double *want,
                    int64_t n)
{
    double worst = 0, most = 0;
    for (int64_t i = 0; i < n; i++) {
        double d = fabs((double)got[i] - want[i]);
        worst = d >= worst ? d : worst;
        if (!(d == d))
            worst = HUGE_VAL;
        most = fmax(most, fabs(want[i]));
    }
    double x = most > 0 ? worst / most : worst;
    r->worst[c] = fmax(r->worst[c], x);
    r->seen[c]++;
}

typedef struct sight {
    row *r;
    const expect *x;
    const char *prefix;
} sight;

static heed_status visit(void *ud, heedi_exec *e, int64_t b)
{
    sight *s = ud;
    char name[32];
    int64_t n;
    snprintf(name, sizeof name, "block%lld", (long long)(b - 1));
    const double *want = expect_get(s->x, s->prefix, name, &n);
    if (want)
        compare(s->r, BLOCKS, e->border[b], want, n);
    snprintf(name, sizeof name, "attn%lld", (long long)(b - 1));
    want = expect_get(s->x, s->prefix, name, &n);
    for (const heedi_node *y = e->block[b].tape.first; want && y; y = y->next) {
        if (!y->op->mixing)
            continue;
        int64_t t = e->batch.rows, heads = y->op->mixing->heads(y);
        assert_int_equal(n, heads * t * t);
        heed_real *m = calloc((size_t)(t * t), sizeof *m);
        for (int64_t h = 0; h < heads; h++) {
            heedi_view v = {.head = h, .nq = t, .out = m};
            y->op->mixing->rows(y, &e->run, &v);
            compare(s->r, ATTENTION, m, want + h * t * t, t * t);
        }
        free(m);
    }
    return HEED_OK;
}

/* The rows of the leaf of a model that reads images; NULL: one of text. */
static heed_real *patches(const heed_model *m, const expect *x,
                          const char *prefix)
{
    const heedi_patch *p = &m->patch;
    int64_t n;
    const double *want = expect_get(x, prefix, "pixels", &n);
    if (p->rows == 0)
        return NULL;
    heed_pixels pixels = {
        .channels = p->channels, .height = p->image_h, .width = p->image_w};
    assert_int_equal(n, p->channels * p->image_h * p->image_w);
    pixels.x = malloc((size_t)n * sizeof *pixels.x);
    for (int64_t i = 0; i < n; i++)
        pixels.x[i] = (heed_real)want[i];
    heed_real *rows = malloc(
        (size_t)(heedi_patch_tokens(m) * heedi_patch_size(m)) * sizeof *rows);
    heedi_patches_fill(m, &pixels, rows);
    free(pixels.x);
    return rows;
}

/* One text; or two, each a sequence, where the file has their lengths; or an
 * image. rows: what patches() gave; it must stay as long as the run. */
static void start(heedi_exec *e, heed_ctx *ctx, const heed_model *m,
                  const expect *x, const char *prefix, const heed_real *rows,
                  heedi_pass pass)
{
    static uint8_t segment[256];
    int64_t t, n = 1, n_segment;
    const int64_t *id = expect_get(x, prefix, "ids", &t);
    const int64_t *len = expect_get(x, prefix, "lens", &n);
    const int64_t *type = expect_get(x, prefix, "segments", &n_segment);
    t = rows ? heedi_patch_tokens(m) : t;
    int32_t *ids = calloc((size_t)t, sizeof *ids);
    for (int64_t i = 0; !rows && i < t; i++) {
        ids[i] = (int32_t)id[i];
        segment[i] = (uint8_t)(type ? type[i] : 0);
    }
    heedi_exec_options o = {.rules = {pass, NULL},
                            .pixels = rows,
                            .mixing = pass == HEEDI_FORWARD,
                            .account = pass == HEEDI_RELEVANCE,
                            .detail = pass == HEEDI_RELEVANCE,
                            .head_full = true,
                            .segment = segment};
    heed_status st =
        heedi_exec_init(e, ctx, m, len ? len : &t, len ? n : 1, ids, &o);
    if (st != HEED_OK)
        fail_msg("%s", heed_error(ctx));
    free(ids);
}

static void forward(heed_ctx *ctx, const heed_model *m, const expect *x,
                    const char *prefix, row *r)
{
    int64_t n, rows;
    heedi_exec e;
    heed_real *leaf = patches(m, x, prefix);
    start(&e, ctx, m, x, prefix, leaf, HEEDI_FORWARD);
    sight s = {r, x, prefix};
    assert_int_equal(heedi_exec_forward(&e, visit, &s), HEED_OK);
    const double *want = expect_get(x, prefix, "logits", &n);
    const int64_t *at = expect_get(x, prefix, "logits_rows", &rows);
    const int64_t v = m->head.rows;
    if (want) {
        heed_real *z = calloc((size_t)n, sizeof *z);
        assert_int_equal(n, rows * v);
        for (int64_t i = 0; i < rows; i++)
            assert_int_equal(heedi_head_row(&e, at[i], z + i * v), HEED_OK);
        compare(r, LOGITS, z, want, n);
        free(z);
    }
    want = expect_get(x, prefix, "embedding", &n);
    for (int k = 0; want && k < 2; k++)
        compare(r, LOGITS, heedi_head_state(&e, e.batch.start[k]),
                want + k * m->head.cols, m->head.cols);
    free(leaf);
    heedi_exec_clear(&e);
}

typedef struct back {
    heedi_exec e;
    const expect *x;
    const char *prefix;
    row *r;
} back;

static double aim(back *k, heed_target target)
{
    const int64_t v = heedi_target_room(k->e.m);
    heed_real *z = calloc((size_t)v, sizeof *z),
              *d = calloc((size_t)v, sizeof *d);
    heedi_aim a;
    assert_int_equal(heedi_aim_at(&a, &k->e, &target, 0, k->e.batch.rows, z, d),
                     HEED_OK);
    if (k->e.o.account)
        heedi_ledger_zero(&k->e.ledger);
    assert_int_equal(heedi_head_seed(&k->e, &a.seed, 1, &a.seed_value),
                     HEED_OK);
    assert_int_equal(heedi_exec_backward(&k->e, NULL, NULL), HEED_OK);
    free(z);
    free(d);
    return a.value;
}

static void gradient(back *k, heed_target target, const char *name)
{
    int64_t n;
    const double *want = expect_get(k->x, k->prefix, name, &n);
    if (!want)
        return;
    aim(k, target);
    assert_int_equal(n, k->e.batch.rows * k->e.leaf->cols);
    compare(k->r, GRADIENT, k->e.leaf->g, want, n);
}

/* Where the reference's sinks are in the account: an entry of some operations
 * of each layer, or of one outside of them. */
static const struct {
    const char *key, *ops; /* space-separated, without "blk.0." */
    heedi_entry entry;
    int layered;
} sink[] = {
    {"kappa", "attn", HEEDI_ENTRY_kappa, 1},
    {"bias_q", "attn.q", HEEDI_ENTRY_bias, 1},
    {"bias_k", "attn.k", HEEDI_ENTRY_bias, 1},
    {"bias_v", "attn.v", HEEDI_ENTRY_bias, 1},
    {"bias_o", "attn.o", HEEDI_ENTRY_bias, 1},
    {"bias_gate", "mlp.gate", HEEDI_ENTRY_bias, 1},
    {"bias_up", "mlp.up", HEEDI_ENTRY_bias, 1},
    {"bias_down", "mlp.down", HEEDI_ENTRY_bias, 1},
    {"bias_c_attn", "attn.q attn.k attn.v", HEEDI_ENTRY_bias, 1},
    {"bias_qkv", "attn.q attn.k attn.v", HEEDI_ENTRY_bias, 1},
    {"bias_head", "head", HEEDI_ENTRY_bias, 0},
    {"pos_bias", "attn", HEEDI_ENTRY_pos_bias, 1},
    {"beta_embed", "embed.norm", HEEDI_ENTRY_beta, 0},
    {"beta_ln", "norm", HEEDI_ENTRY_beta, 1},
    {"bias_c_proj", "attn.o", HEEDI_ENTRY_bias, 1},
    {"bias_fc", "mlp.fc", HEEDI_ENTRY_bias, 1},
    {"bias_mlp_proj", "mlp.proj", HEEDI_ENTRY_bias, 1},
    {"beta_ln1", "attn.norm", HEEDI_ENTRY_beta, 1},
    {"beta_mix", "mixer.norm", HEEDI_ENTRY_beta, 1},
    {"beta_ln2", "mlp.norm", HEEDI_ENTRY_beta, 1},
    {"beta_f", "norm", HEEDI_ENTRY_beta, 0},
    {"beta_embed", "embed.norm", HEEDI_ENTRY_beta, 0},
    {"beta_transform", "transform.norm", HEEDI_ENTRY_beta, 0},
    {"bias_transform", "transform", HEEDI_ENTRY_bias, 0},
    {"bias_pooler", "pooler", HEEDI_ENTRY_bias, 0},
    {"bias_head", "head", HEEDI_ENTRY_bias, 0},
    {"unread_type", "type", HEEDI_ENTRY_unread, 0},
    {"unread", "position", HEEDI_ENTRY_unread, 0},
    {"unread_keys", "attn", HEEDI_ENTRY_unread, 1},
    {"bias_conv", "mixer.conv", HEEDI_ENTRY_bias, 1},
    {"bias_in", "mixer.x mixer.z", HEEDI_ENTRY_bias, 1},
    {"bias_out", "mixer.out", HEEDI_ENTRY_bias, 1},
    {"beta_mix", "mixer.norm", HEEDI_ENTRY_beta, 1},
    {"beta_group", "mixer.group_norm", HEEDI_ENTRY_beta, 1},
    {"bias_x", "mixer.x", HEEDI_ENTRY_bias, 1},
    {"bias_y", "mixer.y", HEEDI_ENTRY_bias, 1},
    {"bias_patch", "patch", HEEDI_ENTRY_bias, 0},
    {"bias_head", "head", HEEDI_ENTRY_bias, 0},
    {"prefix", "prefix", HEEDI_ENTRY_prefix, 0},
};

/* The entry of all operations "blk.L.NAME" (or "NAME") of the list; false if
 * there are none. */
static bool absorbed(const heedi_ledger *l, int i, int64_t layer, double *out)
{
    double sum = 0;
    int found = 0;
    for (int j = 0; j < l->n_ops; j++) {
        char head[32] = "";
        if (sink[i].layered)
            snprintf(head, sizeof head, "blk.%lld.", (long long)layer);
        size_t n = strlen(head);
        if (strncmp(l->op_name[j], head, n) != 0 ||
            !heedi_has_word(sink[i].ops, l->op_name[j] + n))
            continue;
        for (int64_t q = 0; q < l->n_seq; q++)
            sum += l->sink[(q * l->n_ops + j) * HEEDI_N_ENTRIES +
                           (int)sink[i].entry];
        found++;
    }
    *out = sum;
    return found > 0;
}

static void sinks(back *k, const char *suffix, double value, double sum,
                  double scale)
{
    const heedi_ledger *l = &k->e.ledger;
    char name[64];
    int64_t n;
    for (size_t i = 0; i < sizeof sink / sizeof *sink; i++) {
        snprintf(name, sizeof name, "%s%s", sink[i].key, suffix);
        const double *want = expect_get(k->x, k->prefix, name, &n);
        int64_t layer = 0; /* those that have it, in order */
        for (int64_t b = 0; want && b < n; b++, layer++) {
            double d;
            while (!absorbed(l, (int)i, layer, &d))
                assert_true(++layer < k->e.m->dim['L']);
            d -= want[b];
            k->r->worst[ACCOUNT] = fmax(k->r->worst[ACCOUNT], fabs(d) / scale);
        }
    }
    double rest = value - sum;
    for (int64_t q = 0; q < l->n_seq; q++)
        rest -= heedi_ledger_absorbed(l, q);
    k->r->worst[ACCOUNT] = fmax(k->r->worst[ACCOUNT], fabs(rest) / scale);
    k->r->seen[ACCOUNT]++;
    /* and every operation for itself */
    for (int j = 0; j < l->n_ops; j++) {
        double d = 0;
        for (int64_t q = 0; q < l->n_seq; q++) {
            const int64_t at = q * l->n_ops + j;
            d += l->in[at] - l->out[at];
            for (int e = 0; e < HEEDI_N_ENTRIES; e++)
                d -= l->sink[at * HEEDI_N_ENTRIES + e];
        }
        if (strcmp(l->op_name[j], k->e.leaf->name) != 0)
            k->r->worst[ACCOUNT] = fmax(k->r->worst[ACCOUNT], fabs(d) / scale);
    }
}

static void relevance(back *k, heed_target target, const char *suffix)
{
    char name[64];
    int64_t n;
    double value = aim(k, target), sum = 0, magnitude = 0;
    const heedi_node *leaf = k->e.leaf, *prefix = k->e.prefix;
    const int64_t t = k->e.batch.rows, c = leaf->cols;
    heed_real *all = calloc((size_t)(t * c), sizeof *all);
    heed_real *token = calloc((size_t)t, sizeof *token);
    for (int64_t i = 0; i < t; i++) {
        double s = 0;
        for (int64_t j = i * c; j < (i + 1) * c; j++) {
            s += (double)leaf->x[j] * (double)leaf->g[j];
            all[j] = leaf->x[j] * leaf->g[j];
        }
        for (int64_t j = 0; i < k->e.m->patch.prefix && j < prefix->cols; j++)
            s += (double)prefix->x[i * prefix->cols + j] *
                 (double)prefix->g[i * prefix->cols + j];
        token[i] = (heed_real)s;
        sum += s;
        magnitude += fabs(s);
    }
    snprintf(name, sizeof name, "lrp%s", suffix);
    const double *want = expect_get(k->x, k->prefix, name, &n);
    if (want)
        compare(k->r, LRP, all, want, n);
    snprintf(name, sizeof name, "lrp%s_token", suffix);
    want = expect_get(k->x, k->prefix, name, &n);
    assert_non_null(want);
    compare(k->r, LRP, token, want, n);
    sinks(k, suffix, value, sum, fmax(fabs(value), magnitude));
    free(all);
    free(token);
}

static void backward(heed_ctx *ctx, const heed_model *m, const expect *x,
                     const char *prefix, row *r)
{
    int64_t n;
    heed_real *leaf = patches(m, x, prefix);
    const int64_t *top = expect_get(x, prefix, "target", &n);
    const int64_t *pair = expect_get(x, prefix, "contrast", &n);
    heed_target logit = HEED_TARGET, prob = {.kind = "probability"};
    if (top) {
        logit = (heed_target){NULL, top[0], (int32_t)top[1], -1};
        prob = (heed_target){"probability", top[0], (int32_t)top[1], -1};
    }
    heed_target contrast = {"contrast", -1, 0, 1};
    if (pair)
        contrast = (heed_target){"contrast", pair[0], (int32_t)pair[1],
                                 (int32_t)pair[2]};
    for (int pass = HEEDI_GRADIENT; pass <= HEEDI_RELEVANCE; pass++) {
        back k = {.x = x, .prefix = prefix, .r = r};
        start(&k.e, ctx, m, x, prefix, leaf, (heedi_pass)pass);
        assert_int_equal(heedi_exec_forward(&k.e, NULL, NULL), HEED_OK);
        if (pass == HEEDI_GRADIENT) {
            gradient(&k, logit, "grad_logit");
            gradient(&k, logit, "grad_similarity");
            gradient(&k, contrast, "grad_contrast");
            gradient(&k, prob, "grad_prob");
        } else {
            relevance(&k, logit, "");
            if (pair && expect_get(x, prefix, "lrp_contrast_token", &n))
                relevance(&k, contrast, "_contrast");
        }
        heedi_exec_clear(&k.e);
    }
    free(leaf);
}

/* 1 if every column is within its limit. */
static int one_model(heed_ctx *ctx, const char *model, const char *file,
                     const char *name)
{
    row r = {0};
    expect x;
    heed_model *m;
    if (!expect_open(&x, file))
        fail_msg("%s: cannot be read", file);
    if (heed_model_load(&m, ctx, model) != HEED_OK)
        fail_msg("%s", heed_error(ctx));
    static const char *const prefix[] = {"T1",  "T2",   "T5",
                                         "T37", "T130", "image"};
    int lengths = 0;
    for (int i = 0; i < 6; i++) {
        int64_t n;
        if (!expect_get(&x, prefix[i], "ids", &n) &&
            !expect_get(&x, prefix[i], "pixels", &n))
            continue;
        lengths++;
        forward(ctx, m, &x, prefix[i], &r);
        backward(ctx, m, &x, prefix[i], &r);
    }
    assert_true(lengths > 0);
    int good = 1;
    printf("%-22s", name);
    for (int c = 0; c < N_COLUMNS; c++) {
        int ok = !r.seen[c] || r.worst[c] <= limit(c);
        if (r.seen[c])
            printf(" %8.1e%c", r.worst[c], ok ? ' ' : '!');
        else
            printf(" %8s ", "-");
        good = good && ok;
    }
    printf("\n");
    heed_model_free(m);
    expect_close(&x);
    return good;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void family(const char *base)
{
    static char names[256][256]; /* d_name has at most 255 */
    int n = 0, bad = 0;
    const char *only = getenv("GOLDEN");
    DIR *d = opendir(base);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) && n < 256;)
        if (e->d_name[0] != '.' && !strstr(e->d_name, ".expect."))
            snprintf(names[n++], sizeof names[0], "%.255s", e->d_name);
    closedir(d);
    qsort(names, (size_t)n, sizeof names[0], by_name);
    printf("%-22s", base + strlen("tests/golden/"));
    for (int c = 0; c < N_COLUMNS; c++)
        printf(" %8s ", column[c]);
    printf("\n%-22s", "limit");
    for (int c = 0; c < N_COLUMNS; c++)
        printf(" %8.0e ", limit(c));
    printf("\n");
    heed_ctx *ctx = new_ctx();
    heed_tune_process(ctx); /* the kernels that the command would choose */
    int ran = 0;
    for (int i = 0; i < n; i++) {
        char model[512], file[1024];
        char *gguf = strstr(names[i], ".gguf");
        snprintf(model, sizeof model, "%s/%.255s", base, names[i]);
        if (gguf)
            snprintf(file, sizeof file, "%s/%.*s.expect.safetensors", base,
                     (int)(gguf - names[i]), names[i]);
        else
            snprintf(file, sizeof file, "%s/expect.safetensors", model);
        if (only && !strstr(names[i], only))
            continue;
        ran++;
        bad += !one_model(ctx, model, file, names[i]);
    }
    heed_ctx_free(ctx);
    assert_true(ran > 0 || only);
    assert_int_equal(bad, 0);
}

static void test_llama(void **state)
{
    (void)state;
    family("tests/golden/llama");
}

static void test_gpt2(void **state)
{
    (void)state;
    family("tests/golden/gpt2");
}

static void test_vit(void **state)
{
    (void)state;
    family("tests/golden/vit");
}

static void test_bert(void **state)
{
    (void)state;
    family("tests/golden/bert");
}

static void test_mamba(void **state)
{
    (void)state;
    family("tests/golden/mamba");
}

static void test_falcon_mamba(void **state)
{
    (void)state;
    family("tests/golden/falcon_mamba");
}

static void test_mamba2(void **state)
{
    (void)state;
    family("tests/golden/mamba2");
}

static void test_rwkv(void **state)
{
    (void)state;
    family("tests/golden/rwkv");
}

static void test_recurrent_gemma(void **state)
{
    (void)state;
    family("tests/golden/recurrent_gemma");
}

static void test_gemma3(void **state)
{
    (void)state;
    family("tests/golden/gemma3");
}

static void test_gpt_neox(void **state)
{
    (void)state;
    family("tests/golden/gpt_neox");
}

static void test_gptj(void **state)
{
    (void)state;
    family("tests/golden/gptj");
}

static void test_bloom(void **state)
{
    (void)state;
    family("tests/golden/bloom");
}

static void test_rwkv6(void **state)
{
    (void)state;
    family("tests/golden/rwkv6");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_llama),
        test(test_gpt2),
        test(test_mamba),
        test(test_bert),
        test(test_gpt_neox),
        test(test_gptj),
        test(test_bloom),
        test(test_vit),
        test(test_rwkv),
        test(test_rwkv6),
        test(test_recurrent_gemma),
        test(test_gemma3),
        test(test_falcon_mamba),
        test(test_mamba2),
    };
    RUN(tests);
}
