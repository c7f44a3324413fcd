/* Rotary encodings: frequencies of every type against values worked out from
 * the formulas, the table, both spellings, and what is refused. */
#include "testlib.h"

#include "model.h"
#include "modeldir.h"
#include "rope_types.h"

static const heedi_rope_type *type(const char *name)
{
    const heedi_rope_type *t = heedi_rope_types;
    while (t->name && strcmp(t->name, name) != 0)
        t++;
    assert_non_null(t->name);
    return t;
}

static heedi_rope rope(const char *name, int64_t rot, double theta,
                       int64_t context)
{
    const double none = (double)NAN;
    return (heedi_rope){.rot = rot,
                        .theta = theta,
                        .context = context,
                        .type = type(name),
                        .s = {none, none, none, none, none, none, none, none,
                              none, true, 0, NULL, NULL, NULL}};
}

static void frequencies(const heedi_rope *r, int64_t len, double factor,
                        int from, int n, const double *want)
{
    double f[64];
    assert_close(r->type->frequencies(r, len, f), factor, 1e-10);
    for (int i = 0; i < n; i++)
        if (!(fabs(f[from + i] - want[i]) <= 1e-9 * want[i]))
            fail_msg("%s: frequency %d is %.12g, not %.12g", r->type->name,
                     from + i, f[from + i], want[i]);
}

static void test_frequencies(void **state)
{
    (void)state;
    heedi_rope r = rope("default", 8, 1e4, 2048);
    frequencies(&r, 9, 1, 0, 4, (const double[]){1, .1, .01, .001});
    r = rope("linear", 8, 1e4, 2048);
    r.s.factor = 4;
    frequencies(&r, 9, 1, 0, 4, (const double[]){.25, .025, .0025, .00025});
    r = rope("dynamic", 8, 1e4, 2048);
    r.s.factor = 2;
    frequencies(&r, 2048, 1, 0, 4, (const double[]){1, .1, .01, .001});
    frequencies(&r, 8192, 1, 0, 4,
                (const double[]){1, .0522757958574711, .00273275883054,
                                 .000142857142857143});
    r = rope("llama3", 8, 1e4, 131072);
    r.s.factor = 8;
    r.s.low_freq = 1;
    r.s.high_freq = 4;
    r.s.original = 8192;
    frequencies(&r, 9, 1, 0, 3, (const double[]){1, .1, .01});
    double f[32];
    r.type->frequencies(&r, 9, f);
    assert_true(fabs(f[3] - .000213607544) < 5e-13);
    r = rope("llama3", 64, 5e5, 131072); /* Llama 3.2 1B */
    r.s.factor = 32;
    r.s.low_freq = 1;
    r.s.high_freq = 4;
    r.s.original = 8192;
    r.type->frequencies(&r, 9, f);
    const double want[] = {.00321144599, .00129054793, .000429556797,
                           .0000970828780, .0000194616382};
    for (int i = 0; i < 5; i++)
        assert_true(fabs(f[14 + i] - want[i]) < 2e-9 * want[i]);
}

static void test_yarn(void **state)
{
    (void)state;
    const double want[] = {1, .1, .00625, .00025};
    heedi_rope r = rope("yarn", 8, 1e4, 8192);
    r.s.factor = 4;
    r.s.original = 2048;
    frequencies(&r, 9, 1.1386294361119891, 0, 4, want);
    r.s.factor = (double)NAN; /* then context / original, the same */
    frequencies(&r, 9, 1.1386294361119891, 0, 4, want);
    r.s.attention_factor = 1.25;
    frequencies(&r, 9, 1.25, 0, 4, want);
    r.s.attention_factor = (double)NAN;
    r.s.mscale = 1.5;
    r.s.mscale_all_dim = 0.5;
    double g = 0.1 * log(4);
    frequencies(&r, 9, (1.5 * g + 1) / (0.5 * g + 1), 0, 4, want);
    /* not rounded to whole dimensions: lo 1.73..., hi 3 is the last */
    r = rope("yarn", 8, 1e4, 8192);
    r.s.factor = 4;
    r.s.original = 2048;
    r.s.truncate = false;
    double ln = log(1e4), pi2 = 2 * acos(-1);
    double lo = 8 * log(2048 / (32 * pi2)) / (2 * ln);
    double hi = 8 * log(2048 / pi2) / (2 * ln);
    double ramp = (2 - lo) / (hi - lo);
    frequencies(
        &r, 9, 1.1386294361119891, 0, 4,
        (const double[]){1, .1, .01 * (1 - ramp) + .0025 * ramp,
                         .00025 + .00075 * fmax(0, 1 - (3 - lo) / (hi - lo))});
}

static void test_longrope(void **state)
{
    (void)state;
    static const double far[] = {1, 2, 4, 8}, near[] = {1, 1, 1.25, 2};
    heedi_rope r = rope("longrope", 8, 1e4, 131072);
    r.s.original = 4096;
    r.s.long_factor = far;
    r.s.short_factor = near;
    double m = 1.1902380714238083;
    frequencies(&r, 4096, m, 0, 4, (const double[]){1, .1, .008, .0005});
    frequencies(&r, 4097, m, 0, 4, (const double[]){1, .05, .0025, .000125});
    r.s.attention_factor = 1.125;
    frequencies(&r, 1, 1.125, 0, 4, (const double[]){1, .1, .008, .0005});
    r.s.attention_factor = (double)NAN;
    r.context = 4096; /* not stretched */
    frequencies(&r, 1, 1, 0, 4, (const double[]){1, .1, .008, .0005});
}

/* cos and sin of position times frequency, positions from pos0 on in every
 * sequence, lengths counted for each. */
static void test_table(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heedi_arena mem;
    heedi_arena_init(&mem, ctx);
    static const int64_t len[] = {3, 40};
    static const double divisor[] = {1, 2, 4, 8};
    heedi_rope r = rope("dynamic", 8, 1e4, 32);
    r.s.factor = 2;
    for (int with = 0; with < 2; with++)
        for (int64_t pos0 = 0; pos0 < 20; pos0 += 19) {
            heedi_batch b;
            double work[8], f[4];
            heed_real out[43 * 8];
            r.s.freq_factor = with ? divisor : NULL;
            assert_int_equal(heedi_batch_init(&b, &mem, len, 2, pos0), HEED_OK);
            heedi_rope_table(&r, &b, work, out);
            for (int64_t row = 0; row < 43; row++) {
                int64_t s = row >= 3, p = pos0 + row - 3 * s;
                r.type->frequencies(&r, pos0 + len[s], f);
                for (int i = 0; i < 4; i++) {
                    double a = (double)p * f[i] / (with ? divisor[i] : 1);
                    assert_close(out[row * 8 + 2 * i], cos(a), 1e-7);
                    assert_close(out[row * 8 + 2 * i + 1], sin(a), 1e-7);
                }
            }
        }
    heedi_arena_clear(&mem);
    heed_ctx_free(ctx);
}

/* ---- config.json ---- */

static heed_status load(heed_model **m, heed_ctx *ctx, const char *more)
{
    char text[1024];
    snprintf(text, sizeof text,
             "{\"architectures\": [\"LlamaForCausalLM\"], \"model_type\": "
             "\"llama\", \"vocab_size\": 61, \"hidden_size\": 24, "
             "\"intermediate_size\": 42, \"num_hidden_layers\": 2, "
             "\"num_attention_heads\": 4, %s}",
             more);
    modeldir_write("config.json", text, strlen(text));
    return heed_model_load(m, ctx, modeldir);
}

#define S(x)             "\"rope_scaling\": {" x "}"
#define P(x)             "\"rope_parameters\": {" x "}"
#define L3(f, lo, hi, o) S("\"rope_type\": \"llama3\"" f lo hi o)
#define LOW              ", \"low_freq_factor\": 1"
#define HIGH             ", \"high_freq_factor\": 4"
#define FACTOR           ", \"factor\": 8"
#define ORIGINAL         ", \"original_max_position_embeddings\": 32"
#define LONG(s, l) \
    S("\"type\": \"longrope\", \"short_factor\": " s ", \"long_factor\": " l)

static const struct refusal {
    const char *config, *text;
    heed_status st;
} refusals[] = {
    {S("\"rope_type\": \"banana\""), "rope type 'banana' is not supported",
     HEED_ENOTSUP},
    {P("\"rope_type\": \"mrope\""), "rope type 'mrope' is not supported",
     HEED_ENOTSUP},
    {S("\"type\": 3"), "rope_scaling.type is not a string", HEED_EFORMAT},
    {S("\"rope_type\": [\"linear\"]"), "rope_scaling.rope_type is not a string",
     HEED_EFORMAT},
    {"\"rope_scaling\": [1, 2]", "rope_scaling is not an object", HEED_EFORMAT},
    {"\"rope_parameters\": 4", "rope_parameters is not an object",
     HEED_EFORMAT},
    {S("\"type\": \"linear\""), "rope type 'linear' needs factor",
     HEED_EFORMAT},
    {S("\"type\": \"dynamic\", \"factor\": null"),
     "rope type 'dynamic' needs factor", HEED_EFORMAT},
    {S("\"type\": \"linear\", \"factor\": 0"),
     "rope factor is 0, must be positive", HEED_EFORMAT},
    {S("\"type\": \"yarn\", \"factor\": -2.5"),
     "rope factor is -2.5, must be positive", HEED_EFORMAT},
    {L3("", LOW, HIGH, ORIGINAL), "rope type 'llama3' needs factor",
     HEED_EFORMAT},
    {L3(FACTOR, "", HIGH, ORIGINAL), "rope type 'llama3' needs low_freq_factor",
     HEED_EFORMAT},
    {L3(FACTOR, LOW, "", ORIGINAL), "rope type 'llama3' needs high_freq_factor",
     HEED_EFORMAT},
    {L3(FACTOR, LOW, HIGH, ""),
     "rope type 'llama3' needs original_max_position_embeddings", HEED_EFORMAT},
    {S("\"type\": \"longrope\", \"short_factor\": [1, 1, 1]"),
     "rope type 'longrope' needs long_factor", HEED_EFORMAT},
    {S("\"type\": \"su\", \"long_factor\": [1, 1, 1]"),
     "rope type 'longrope' needs short_factor", HEED_EFORMAT},
    {LONG("[1, 1, 1]", "[1, 1]"),
     "rope_scaling.long_factor must be a list of 3 numbers", HEED_EFORMAT},
    {LONG("[1, 1, 1, 1]", "[1, 1, 1]"),
     "rope_scaling.short_factor must be a list of 3 numbers", HEED_EFORMAT},
    {LONG("1", "[1, 1, 1]"),
     "rope_scaling.short_factor must be a list of 3 numbers", HEED_EFORMAT},
    {LONG("[1, 0, 1]", "[1, 1, 1]"),
     "rope_scaling.short_factor: item 1 is no positive number", HEED_EFORMAT},
    {LONG("[1, 1, 1]", "[1, 1, \"x\"]"),
     "rope_scaling.long_factor: item 2 is no positive number", HEED_EFORMAT},
    {S("\"type\": \"yarn\", \"original_max_position_embeddings\": 0"),
     "rope original is 0, must be positive", HEED_EFORMAT},
    {S("\"type\": \"yarn\", \"beta_slow\": -1"),
     "rope beta_slow is -1, must be positive", HEED_EFORMAT},
    {S("\"type\": \"yarn\", \"attention_factor\": 0"),
     "rope attention_factor is 0, must be positive", HEED_EFORMAT},
    {L3(FACTOR, ", \"low_freq_factor\": 4", HIGH, ORIGINAL),
     "rope low_freq_factor is 4, must be below high_freq_factor, 4",
     HEED_EFORMAT},
    {"\"rope_theta\": 0", "rope theta is 0, must be positive", HEED_EFORMAT},
    {P("\"rope_theta\": -1, \"rope_type\": \"default\""),
     "rope theta is -1, must be positive", HEED_EFORMAT},
};

static void test_refusals(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    modeldir_weights("plain");
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const struct refusal *r = &refusals[i];
        heed_model *m;
        heed_status st = load(&m, ctx, r->config);
        if (st != r->st || !strstr(heed_error(ctx), r->text) ||
            !strstr(heed_error(ctx), modeldir))
            fail_msg("%s: got %d '%s', want %d '%s'", r->config, st,
                     heed_error(ctx), r->st, r->text);
        assert_null(m);
    }
    heed_ctx_free(ctx);
}

/* Old and new spelling, and every type by its names. */
static void test_spellings(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"\"rope_theta\": 500, " S("\"type\": \"linear\", \"factor\": 4"),
         P("\"rope_theta\": 500, \"rope_type\": \"linear\", \"factor\": 4")},
        {L3(FACTOR, LOW, HIGH, ORIGINAL),
         P("\"rope_type\": \"llama3\"" FACTOR LOW HIGH ORIGINAL)},
        {"\"rope_scaling\": null", P("\"rope_type\": \"default\"")},
        {LONG("[1, 2, 3]", "[4, 5, 6]") ORIGINAL,
         S("\"rope_type\": \"su\", \"short_factor\": [1, 2, 3], "
           "\"long_factor\": [4, 5, 6]" ORIGINAL)},
    };
    static const char *const text[] = {
        "linear theta=500 dim=6 factor=4",
        ("llama3 theta=10000 dim=6 factor=8 original=32 low_freq_factor=1 "
         "high_freq_factor=4"),
        "default theta=10000 dim=6",
        "longrope theta=10000 dim=6 original=32",
    };
    heed_ctx *ctx = new_ctx();
    modeldir_weights("plain");
    for (int i = 0; i < 4; i++) {
        double f[2][4], factor[2];
        for (int k = 0; k < 2; k++) {
            heed_model *m;
            if (load(&m, ctx, pairs[i][k]) != HEED_OK)
                fail_msg("%s", heed_error(ctx));
            assert_string_equal(heed_model_about(m)->rope, text[i]);
            const heedi_rope *r = &m->rope[0];
            factor[k] = r->type->frequencies(r, 50, f[k]);
            heed_model_free(m);
        }
        assert_memory_equal(f[0], f[1], 3 * sizeof f[0][0]);
        assert_true(factor[0] == factor[1]);
    }
    heed_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_frequencies), test(test_yarn),     test(test_longrope),
        test(test_table),       test(test_refusals), test(test_spellings)};
    return cmocka_run_group_tests_name(__FILE__, tests, modeldir_setup,
                                       modeldir_teardown) != 0;
}
