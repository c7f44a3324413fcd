/* Every rule beyond attn_lrp, on every golden model, through the public
 * interface, against what tests/golden/rules.py made of its definition in
 * float64; prints a table of the largest differences: of relevance and its
 * parts relative to the largest value, of the account relative to the larger
 * of the target and sum |R|; '!' is beyond the limit. GOLDEN=name takes one
 * model, CASE=name one column. */
#include "testlib.h"

#include <dirent.h>

#include "engine.h"
#include "expect.h"
#include "ledger.h"
#include "model.h"

/* The toy's values are of another program yet, which splits positions by sine
 * and cosine alone. */
static const struct family {
    const char *name, *values;
    int near;
} families[] = {{"llama", "tests/golden/rules/llama", 0},
                {"gpt2", "tests/golden/rules/gpt2", 0},
                {"gpt_neox", "tests/golden/rules/gpt_neox", 0},
                {"gptj", "tests/golden/rules/gptj", 0},
                {"bloom", "tests/golden/rules/bloom", 0},
                {"mamba", "tests/golden/rules/mamba", 0},
                {"falcon_mamba", "tests/golden/rules/falcon_mamba", 0},
                {"mamba2", "tests/golden/rules/mamba2", 0},
                {"rwkv", "tests/golden/rules/rwkv", 0},
                {"rwkv6", "tests/golden/rules/rwkv6", 0},
                {"recurrent_gemma", "tests/golden/rules/recurrent_gemma", 0},
                {"gemma3", "tests/golden/rules/gemma3", 1},
                {"bert", "tests/golden/rules/bert", 0},
                {"vit", "tests/golden/rules/vit", 0}, /* and DeiT */
                {"toy", "tests/golden/toy", 0}};
enum { N_FAMILIES = sizeof families / sizeof *families };

#define MOST 8

/* PARTS: those of positions, and other aggregates. In double alone, since they
 * divide by what can vanish: EXACT; NEAR, of families of which a score comes so
 * near to 0 that in float its quotient has no digits. */
enum { PARTS = 1, EXACT = 2, NEAR = 4 };

/* A column: its name in the file, and the request. */
static const struct ruling {
    const char *key, *method;
    heed_setting set[3];
    const char *rule[MOST];
    int how;
} rulings[] = {
    {"attn_lrp", "attn_lrp", {{0}}, {0}, 0},
    {"cp_lrp", "cp_lrp", {{0}}, {0}, 0},
    {"pa_lrp", "pa_lrp", {{0}}, {0}, PARTS},
    {"pa_key", "pa_lrp", {{"bias", "key"}}, {0}, PARTS},
    {"pa_absolute", "pa_lrp", {{"alibi", "absolute"}}, {0}, PARTS},
    {"pa_tokens", "pa_lrp", {{"read", "tokens"}}, {0}, 0},
    {"pa_positions", "pa_lrp", {{"read", "positions"}}, {0}, 0},
    {"pa_preset", "pa_lrp", {{0}}, {0}, 0},
    {"pa_gamma", "pa_lrp", {{0}}, {"*=gamma:0.1"}, 0},
    {"lrp_epsilon", "lrp_epsilon", {{"epsilon", "0.01"}}, {0}, 0},
    {"lrp_gamma", "lrp_gamma", {{"gamma", "0.25"}}, {0}, 0},
    {"lrp_alpha_beta",
     "lrp_alpha_beta",
     {{"alpha", "2"}, {"epsilon", "1e-3"}},
     {0},
     0},
    {"lrp_zplus", "lrp_zplus", {{0}}, {0}, 0},
    {"act_lxt", "attn_lrp", {{"act_div", "lxt"}}, {0}, 0},
    {"relkey_unhalved", "attn_lrp", {{"relkey", "unhalved"}}, {0}, 0},
    {"relkey_drop", "attn_lrp", {{"relkey", "drop"}}, {0}, 0},
    {"softcap", "attn_lrp", {{"softcap", "derivative"}}, {0}, 0},
    {"act_derivative", "mamba_lrp", {{"ssm_act", "derivative"}}, {0}, 0},
    {"mixed",
     "attn_lrp",
     {{0}},
     {"mlp.*=gamma:0.05", "attn.o=zplus:1e-3", "mixer.out=zplus:1e-3",
      "head=gamma:0.1"},
     0},
    {"stab_lxt", "attn_lrp", {{"stab", "lxt"}}, {0}, NEAR},
    {"stab_safe_divide", "attn_lrp", {{"stab", "safe_divide"}}, {0}, NEAR},
    {"stab_signed", "attn_lrp", {{"stab", "signed"}}, {0}, EXACT},
    {"pa_stab", "pa_lrp", {{0}}, {0}, NEAR},
    {"cp_gamma", "attn_lrp", {{0}}, {"*=cp_gamma:0.25:0.5"}, 0},
    {"cp_half", "attn_lrp", {{0}}, {"attn=cp:0.5"}, 0},
    {"ln_mean", "attn_lrp", {{0}}, {"*=constant_mean"}, 0},
    {"w2",
     "attn_lrp",
     {{0}},
     {"blk.0.attn.[qkv]=w2", "blk.0.mixer.[xz]=w2", "patch=w2"},
     0},
    {"flat",
     "attn_lrp",
     {{0}},
     {"blk.0.attn.[qkv]=flat", "blk.0.mixer.[xz]=flat", "patch=flat"},
     0},
    {"zbox",
     "attn_lrp",
     {{0}},
     {"blk.0.attn.[qkv]=zbox:-3:3", "blk.0.mixer.[xz]=zbox:-3:3",
      "patch=zbox:-3:3"},
     0},
};
enum { N_RULINGS = sizeof rulings / sizeof *rulings };

enum { RELEVANCE, ACCOUNT };

static double limit(int what)
{
    static const double f[] = {2e-5, 1e-5}, d[] = {1e-9, 1e-12};
    return sizeof(heed_real) == 4 ? f[what] : d[what];
}

static char verdict(double x, int what)
{
    return x <= limit(what) ? ' ' : '!';
}

typedef struct subject {
    heed_ctx *ctx;
    const heed_model *m;
    int vision, toy;
    const expect *x;
    heed_tokens *tokens; /* or else pixels */
    heed_pixels pixels;
    heed_target target;
    double value;
    const struct ruling *k;
    char group[64];
    double worst, account;
} subject;

static bool named(const heedi_node *y, const void *glob)
{
    return heedi_name_matches(glob, y->name);
}

/* A rule of operations that the model has; first maps of pictures are those of
 * their patches. */
static bool has(const subject *s, const char *rule)
{
    char glob[64];
    bool found;
    snprintf(glob, sizeof glob, "%.*s", (int)strcspn(rule, "="), rule);
    if (strcmp(glob, "head") == 0)
        return true;
    if (s->vision && strncmp(glob, "blk.0.", 6) == 0)
        return false;
    assert_int_equal(heedi_model_has(s->ctx, s->m, named, glob, &found),
                     HEED_OK);
    return found;
}

/* Columns that are made with the official code's preset: of pictures all that
 * read a part alone or have its stabilisers, of others one. */
static int presets(const subject *s)
{
    static const char *const of_pictures[] = {"pa_tokens", "pa_positions",
                                              "pa_stab"};
    bool found = strcmp(s->k->key, "pa_preset") == 0;
    for (int i = 0; s->vision && i < 3; i++)
        found = found || strcmp(s->k->key, of_pictures[i]) == 0;
    return found;
}

static void explain(subject *s, const heed_setting *more, heed_result **r)
{
    static const char *const by[] = {"head", "frequency", "distance", "cos_sin",
                                     NULL};
    heed_setting set[4] = {{0}};
    const char *rules[MOST] = {0};
    int n = 0;
    for (int i = 0; s->k->rule[i]; i++)
        if (has(s, s->k->rule[i]))
            rules[n++] = s->k->rule[i];
    for (n = 0; s->k->set[n].name; n++)
        set[n] = s->k->set[n];
    if (presets(s))
        set[n++] = (heed_setting){"preset", s->vision ? "pa_vit" : "bertpe"};
    if (strcmp(s->k->key, "pa_stab") == 0)
        set[n++] = (heed_setting){"stab", s->vision ? "pa_vision" : "lxt"};
    if (more)
        set[n++] = *more;
    heed_input in = {s->tokens, &s->target, 1, s->vision ? &s->pixels : NULL};
    heed_request q = {.model = s->m,
                      .method = s->k->method,
                      .settings = set,
                      .input = &in,
                      .n_inputs = 1,
                      .group = s->group,
                      .rules = rules,
                      .position_by =
                          s->k->how & PARTS ? by + (s->toy ? 3 : 0) : NULL};
    attribute(s->ctx, &q, r);
}

/* A part that the reference has not must not be there. */
static void part(subject *s, const heed_result *r, const char *name,
                 const char *key)
{
    int64_t n;
    const double *want = expect_get(s->x, s->k->key, key, &n);
    const heed_array *a = heed_result_get(r, s->group, name);
    if (!want != !a)
        fail_msg("%s: %s is in one of the two only", s->k->key, name);
    if (!want)
        return;
    assert_int_equal(n, (int64_t)n_values(&a->var));
    double worst = 0, most = 0;
    for (int64_t i = 0; i < n; i++) {
        double d = fabs((double)((const heed_real *)a->data)[i] - want[i]);
        worst = d <= worst ? worst : d;
        most = fmax(most, fabs(want[i]));
    }
    worst = most > 0 ? worst / most : worst;
    s->worst = worst <= s->worst ? s->worst : worst;
}

static void account(subject *s, const heed_result *r)
{
    char group[128], name[64];
    int64_t n;
    const double *rel = expect_get(s->x, s->k->key, "relevance", &n);
    double scale = fabs(s->value), sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += fabs(rel[i]);
    scale = fmax(scale, sum);
    snprintf(group, sizeof group, "%s/ledger", s->group);
    for (int e = 0; e < HEEDI_N_ENTRIES; e++) {
        snprintf(name, sizeof name, "sink_%s", heedi_entry_name[e]);
        const double *want = expect_get(s->x, s->k->key, name, &n);
        const heed_array *a = heed_result_get(r, group, name);
        double got = 0;
        for (int64_t i = 0; a && i < a->var.len[0]; i++)
            got += ((const double *)a->data)[i];
        double d = fabs(got - (want ? *want : 0)) / scale;
        s->account = d <= s->account ? s->account : d;
    }
    double d = fabs(heed_result_num(r, s->group, "target_value") - s->value);
    d = fmax(d, fabs(heed_result_num(r, s->group, "conservation_residual")));
    s->account = d / scale <= s->account ? s->account : d / scale;
}

static void one_case(subject *s)
{
    static const struct {
        const char *name, *key;
    } parts[] = {{"position_relevance", "position"},
                 {"position_relevance_cos", "cos"},
                 {"position_relevance_sin", "sin"},
                 {"position_relevance_head", "head"},
                 {"position_relevance_frequency", "frequency"},
                 {"position_relevance_distance", "distance"},
                 {"position_relevance_ahead", "ahead"},
                 {"type_relevance", "type"}};
    enum { N_PARTS = sizeof parts / sizeof *parts };
    static const struct {
        const char *key;
        heed_setting aggregate[2];
    } others[] = {
        {"code", {{"aggregate", "code"}}},
        {"joint", {{"aggregate", "paper"}}},
        {"cos_sin", {{"aggregate", "paper"}, {"channel", "cos_sin"}}}};
    heed_result *r[MOST_INPUTS];
    snprintf(s->group, sizeof s->group, "explanations/%s", s->k->key);
    explain(s, NULL, r);
    part(s, r[0], "relevance", "relevance");
    if (s->vision && strncmp(s->k->key, "pa_", 3) == 0)
        part(s, r[0], "pixel_relevance", "pixel");
    for (int i = 0; (s->k->how & PARTS) && i < N_PARTS; i++)
        part(s, r[0], parts[i].name, parts[i].key);
    account(s, r[0]);
    free_results(r, 1);
    struct ruling with = *s->k;
    const struct ruling *before = s->k;
    for (int i = 0; (before->how & PARTS) && i < 3; i++) {
        int n = 0;
        for (with = *before; with.set[n].name; n++)
            ;
        with.set[n] = others[i].aggregate[0];
        s->k = &with;
        explain(s, others[i].aggregate[1].name ? &others[i].aggregate[1] : NULL,
                r);
        part(s, r[0], "relevance", others[i].key);
        free_results(r, 1);
    }
    s->k = before;
}

/* The text, or the picture, and its target, or that of the model's head. */
static void input(subject *s)
{
    const heed_model_info *m = heed_model_about(s->m);
    int64_t n, t;
    const int64_t *id = expect_get(s->x, NULL, "ids", &t);
    const int64_t *segment = expect_get(s->x, NULL, "segments", &n);
    const int64_t *target = expect_get(s->x, NULL, "target", &n);
    const double *pixel = expect_get(s->x, NULL, "pixels", &n);
    int32_t ids[MOST_TOKENS];
    s->target = (heed_target)HEED_TARGET;
    if (target)
        s->target = (heed_target){NULL, target[0], (int32_t)target[1], -1};
    s->vision = pixel != NULL;
    if (s->vision) {
        s->pixels = (heed_pixels){.channels = m->image_channels,
                                  .height = m->image_height,
                                  .width = m->image_width};
        s->pixels.x = malloc((size_t)n * sizeof *s->pixels.x);
        for (int64_t i = 0; i < n; i++)
            s->pixels.x[i] = (heed_real)pixel[i];
        return;
    }
    for (int64_t i = 0; i < t; i++)
        ids[i] = (int32_t)id[i];
    assert_int_equal(heed_tokens_of(&s->tokens, s->ctx, NULL, ids, t), HEED_OK);
    for (int64_t i = 0; segment && i < t; i++)
        s->tokens->token[i].segment = (uint8_t)segment[i];
}

static int in_double_alone(const struct family *f, const struct ruling *k)
{
    return sizeof(heed_real) == 4 &&
           ((k->how & EXACT) || (f->near && (k->how & NEAR)));
}

/* The number of cells that are beyond their limit. */
static int one_model(heed_ctx *ctx, const struct family *f, const char *name)
{
    char file[512], model[512];
    subject s = {.ctx = ctx};
    expect x;
    heed_model *m;
    int64_t n;
    snprintf(file, sizeof file, "%s/%s.expect.safetensors", f->values, name);
    snprintf(model, sizeof model, "tests/golden/%s/%s%s", f->name, name,
             strncmp(name, "gguf", 4) == 0 ? ".gguf" : "");
    if (!expect_open(&x, file))
        fail_msg("%s: cannot be read", file);
    if (heed_model_load(&m, ctx, model) != HEED_OK)
        fail_msg("%s", heed_error(ctx));
    s.m = m;
    s.toy = strcmp(f->name, "toy") == 0;
    s.x = &x;
    input(&s);
    s.value = *(const double *)expect_get(&x, NULL, "value", &n);
    int bad = 0;
    double most = 0;
    char mark = ' ';
    printf("%-8s %-25s", f->name, name);
    for (int i = 0; i < N_RULINGS; i++) {
        const char *only = getenv("CASE");
        s.k = &rulings[i];
        s.worst = s.account = 0;
        if (!expect_get(&x, s.k->key, "relevance", &n) ||
            in_double_alone(f, s.k) || (only && strcmp(only, s.k->key) != 0)) {
            printf(" %7s ", "-");
            continue;
        }
        one_case(&s);
        const char r = verdict(s.worst, RELEVANCE);
        const char a = verdict(s.account, ACCOUNT);
        printf(" %7.0e%c", s.worst, r);
        bad += (r == '!') + (a == '!');
        mark = a == '!' ? a : mark;
        most = s.account <= most ? most : s.account;
    }
    printf(" %7.0e%c", most, mark);
    printf("\n");
    heed_tokens_free(ctx, s.tokens);
    free(s.pixels.x);
    heed_model_free(m);
    expect_close(&x);
    return bad;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

static int family(heed_ctx *ctx, const struct family *f)
{
    static char names[256][256]; /* d_name has at most 255 */
    int n = 0, bad = 0, ran = 0;
    const char *only = getenv("GOLDEN");
    DIR *d = opendir(f->values);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) && n < 256;) {
        const char *end = strstr(e->d_name, ".expect.safetensors");
        if (end)
            snprintf(names[n++], sizeof names[0], "%.*s",
                     (int)(end - e->d_name), e->d_name);
    }
    closedir(d);
    qsort(names, (size_t)n, sizeof names[0], by_name);
    for (int i = 0; i < n; i++)
        if (!only || strstr(names[i], only)) {
            bad += SANITIZED && i % 4 ? 0 : one_model(ctx, f, names[i]);
            ran++;
        }
    assert_true(ran > 0 || only);
    return bad;
}

static void test_golden(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_tune_process(ctx);
    int bad = 0;
    printf("%-34s", "");
    for (int i = 0; i < N_RULINGS; i++)
        printf(" %-8.8s", rulings[i].key);
    printf(" account\n%-34s", "limit");
    for (int i = 0; i < N_RULINGS; i++)
        printf(" %7.0e ", limit(RELEVANCE));
    printf(" %7.0e\n", limit(ACCOUNT));
    for (int i = 0; i < N_FAMILIES; i++)
        bad += family(ctx, &families[i]);
    heed_ctx_free(ctx);
    assert_int_equal(bad, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {test(test_golden)};
    RUN(tests);
}
