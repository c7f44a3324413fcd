/* Figures of layers, targets, positions and the ledger, from results made by
 * hand. */
#include "folder.h"

#include "axis.h"
#include "sample.h"
#include "steps.h"

static const char *const group = "explanations/pa_lrp";

static char *text_of(const char *path)
{
    size_t n;
    char *p = whole_file(path, &n);
    assert_true(n > 0);
    return p;
}

static int count(const char *text, const char *what)
{
    int n = 0;
    for (; (text = strstr(text, what)); text += strlen(what))
        n++;
    return n;
}

/* ---- a result ------------------------------------------------------------ */

typedef struct shape {
    int64_t tokens, layers, targets;
    double sign;         /* of the target */
    const char *word;    /* every token */
    bool bias, position; /* entries of the ledger beside kappa */
    double residual;
} shape;

/* An array (target, d0, d1), without the dimensions that are 0 or one target */
static void put(const heed_sink *s, heed_ctx *ctx, const char *g,
                const char *name, const shape *q, const char *d0, int64_t n0,
                const char *d1, int64_t n1, const double *x)
{
    heed_var v = {.group = g, .name = name, .type = HEED_F64};
    if (q->targets > 1) {
        v.dim[v.nd] = "target";
        v.len[v.nd++] = q->targets;
    }
    if (n0 > 0) {
        v.dim[v.nd] = d0;
        v.len[v.nd++] = n0;
    }
    v.dim[v.nd] = d1;
    v.len[v.nd++] = n1;
    assert_int_equal(heed_put(s, ctx, &v, x), HEED_OK);
}

static void put_input(const heed_sink *s, heed_ctx *ctx, const shape *q)
{
    const size_t n = (size_t)q->tokens, len = strlen(q->word);
    const char **token = calloc(n, sizeof *token);
    int64_t *from = calloc(n, sizeof *from), *to = calloc(n, sizeof *to);
    char *text = calloc(n, len + 1);
    const char *const whole = text;
    for (size_t i = 0; i < n; i++) {
        strcat(text + i * len, q->word);
        token[i] = q->word;
        from[i] = (int64_t)(i * len);
        to[i] = (int64_t)((i + 1) * len);
    }
    assert_int_equal(
        sample_put(s, ctx, "input", "text", HEED_STR, NULL, 0, &whole),
        HEED_OK);
    assert_int_equal(
        sample_put(s, ctx, "input", "token", HEED_STR, "pos", q->tokens, token),
        HEED_OK);
    assert_int_equal(sample_put(s, ctx, "input", "byte_start", HEED_I64, "pos",
                                q->tokens, from),
                     HEED_OK);
    assert_int_equal(
        sample_put(s, ctx, "input", "byte_end", HEED_I64, "pos", q->tokens, to),
        HEED_OK);
    free(token);
    free(from);
    free(to);
    free(text);
}

/* Positions and distances carry less the further up and away they are. */
static void put_relevance(const heed_sink *s, heed_ctx *ctx, const shape *q)
{
    const int64_t T = q->tokens, L = q->layers, N = q->targets;
    double *x = calloc((size_t)(N * (L + 1) * T), sizeof *x);
    for (int64_t i = 0; i < N * (L + 1) * T; i++)
        x[i] = q->sign * ((double)(i * 7 % 11) - 3) / (double)(1 + i % T);
    put(s, ctx, group, "relevance", q, NULL, 0, "pos", T, x);
    put(s, ctx, group, "token_relevance", q, NULL, 0, "pos", T, x);
    put(s, ctx, group, "relevance_layer", q, "layer", L + 1, "pos", T, x);
    put(s, ctx, group, "position_relevance", q, "layer", L, "pos", T, x);
    put(s, ctx, group, "position_relevance_distance", q, "layer", L, "distance",
        T, x);
    free(x);
}

static void put_ledger(const heed_sink *s, heed_ctx *ctx, const shape *q)
{
    static const char *const g = "explanations/pa_lrp/ledger";
    const int64_t n = 2 * q->layers + 3, N = q->targets;
    char(*name)[24] = calloc((size_t)n, sizeof *name);
    const char **op = calloc((size_t)n, sizeof *op);
    double *x = calloc((size_t)(N * n), sizeof *x);
    for (int64_t i = 0; i < n; i++) {
        op[i] = name[i];
        snprintf(name[i], sizeof name[i], "blk.%d.%s", (int)((i - 1) / 2),
                 i % 2 ? "attn" : "mlp.glu");
    }
    op[0] = "embed";
    op[n - 2] = "norm";
    op[n - 1] = "head";
    assert_int_equal(sample_put(s, ctx, g, "op_name", HEED_STR, "op", n, op),
                     HEED_OK);
    for (int64_t t = 0; t < N; t++)
        for (int64_t l = 0; l < q->layers; l++)
            x[t * n + 1 + 2 * l] = q->sign * (l % 3 ? 0.25 : -0.125);
    put(s, ctx, g, "sink_kappa", q, NULL, 0, "op", n, x);
    for (int64_t i = 0; i < N * n; i++)
        x[i] = i % n == 0 ? 0 : 0.03125;
    if (q->bias)
        put(s, ctx, g, "sink_bias", q, NULL, 0, "op", n, x);
    if (q->position)
        put(s, ctx, g, "sink_position", q, NULL, 0, "op", n, x);
    free(name);
    free(op);
    free(x);
}

static void attr(const heed_sink *s, heed_ctx *ctx, const char *key,
                 heed_type type, int64_t n, const void *x)
{
    assert_int_equal(
        s->attr(s->ud, ctx, group, key, (heed_attr){type, n > 1 ? n : -1, x}),
        HEED_OK);
}

/* The account closes but for the residual. */
static void put_account(const heed_sink *s, heed_ctx *ctx, const shape *q)
{
    enum { MOST = 64 };
    const int64_t N = q->targets, ops = 2 * q->layers + 2;
    const char *text[MOST];
    double value[MOST], sum[MOST], absorbed[MOST], residual[MOST];
    int64_t pos[MOST];
    double kappa = 0;
    for (int64_t l = 0; l < q->layers; l++)
        kappa += q->sign * (l % 3 ? 0.25 : -0.125);
    for (int64_t t = 0; t < N; t++) {
        text[t] = q->word;
        value[t] = q->sign * 4;
        absorbed[t] = kappa + (q->bias ? 0.03125 * (double)ops : 0);
        residual[t] = q->residual;
        sum[t] = value[t] - absorbed[t] - residual[t];
        pos[t] = q->tokens - N + t;
    }
    attr(s, ctx, "target_text", HEED_STR, N, text);
    attr(s, ctx, "target_value", HEED_F64, N, value);
    attr(s, ctx, "sum", HEED_F64, N, sum);
    attr(s, ctx, "absorbed", HEED_F64, N, absorbed);
    attr(s, ctx, "conservation_residual", HEED_F64, N, residual);
    attr(s, ctx, "target_pos", HEED_I64, N, pos);
    assert_int_equal(heed_put_str(s, ctx, group, "method", "pa_lrp"), HEED_OK);
    assert_int_equal(heed_put_str(s, ctx, group, "target_kind", "logit"),
                     HEED_OK);
}

static heed_result *make(heed_ctx *ctx, const shape *q)
{
    heed_result *r;
    assert_int_equal(heed_result_new(&r, ctx), HEED_OK);
    heed_sink s = heed_result_sink(r);
    put_input(&s, ctx, q);
    put_relevance(&s, ctx, q);
    put_ledger(&s, ctx, q);
    put_account(&s, ctx, q);
    return r;
}

static const shape plain = {12, 5, 1, 1, " word", false, true, 0};
static const char *const all[] = {"ledger", "layers", "positions", "distance",
                                  "target_matrix"};
enum { N_ALL = 5 };

/* ---- what needs no canvas ------------------------------------------------ */

static void ticks(void **state)
{
    (void)state;
    static const heedi_scale row[] = {
        {0, 3.73, 0, 190, 0},      {-0.61, 1.01, 130, 0, 0},
        {-1e-7, 1e-8, 0, 100, 0},  {-0.5, 76.5, 60, 700, 10},
        {-0.5, 4e5, 60, 700, 10},  {-400, 400, 0, 640, 10},
        {-0.4, 1.2, 130, 0, 0.01}, {0, 5e4, 130, 0, 1e-3},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        for (double room = 10; room < 90; room *= 2) {
            double tick[HEEDI_MAX_TICKS];
            int n = heedi_scale_ticks(&row[i], room, tick), zero = 0;
            assert_true(n >= 1 && n <= HEEDI_MAX_TICKS);
            for (int k = 0; k < n; k++) {
                zero += tick[k] == 0;
                assert_true(tick[k] >= row[i].low - 1e-12);
                assert_true(tick[k] <= row[i].high * (1 + 1e-6));
                if (k == 0)
                    continue;
                assert_true(tick[k] > tick[k - 1]);
                assert_true(fabs(heedi_scale_at(&row[i], tick[k]) -
                                 heedi_scale_at(&row[i], tick[k - 1])) >=
                            room * (1 - 1e-6));
            }
            assert_int_equal(zero, 1);
        }
    assert_close(heedi_round_up(0.0203), 0.05, 1e-12);
    assert_close(heedi_round_up(1), 1, 1e-12);
    assert_close(heedi_round_up(6), 10, 1e-12);
    assert_int_equal(heedi_step(0.2), 1);
    assert_int_equal(heedi_step(3), 5);
}

/* Ends of colour bars have two or three digits, however small they are. */
static void numbers(void **state)
{
    (void)state;
    static const struct {
        double x;
        const char *text;
    } row[] = {
        {1234.4, "+1234"},
        {99.94, "+99.9"},
        {9.994, "+9.99"},
        {0.4, "+0.40"},
        {0.0995, "+0.10"},
        {0.0994, "+0.099"},
        {0.01249, "+0.012"},
        {0.00996, "+0.010"},
        {0.00994, "+0.0099"},
        {0.0024, "+0.0024"},
        {-0.00104, "\xe2\x88\x92"
                   "0.0010"},
        {0.00042, "+4.2e\xe2\x88\x92"
                  "4"},
        {0, "0"},
    };
    char buf[HEEDI_NUMBER];
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        assert_string_equal(heedi_number_text(buf, row[i].x, true),
                            row[i].text);
}

/* What explains a position, not a target, is asked by that. */
static void of_a_position(void **state)
{
    (void)state;
    static const struct {
        int64_t pos;
        const char *title;
    } row[] = {
        {3, "What reaches \xe2\x80\x9cword\xe2\x80\x9d at position 3?"},
        {0, "What reaches \xe2\x80\x9cword\xe2\x80\x9d at position 0?"},
        {-1, "attention rollout"},
        {9, "attention rollout"},
    };
    const shape q = {4, 1, 1, 1, " word", false, false, 0};
    static const double x[4] = {.25, .25, .25, .25};
    heed_ctx *ctx = new_ctx();
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        heedi_view v;
        heed_result *r;
        const heed_figure_options o = {0};
        assert_int_equal(heed_result_new(&r, ctx), HEED_OK);
        const heed_sink s = heed_result_sink(r);
        put_input(&s, ctx, &q);
        put(&s, ctx, group, "relevance", &q, NULL, 0, "pos", 4, x);
        attr(&s, ctx, "target_pos", HEED_I64, 1, &row[i].pos);
        assert_int_equal(
            heed_put_str(&s, ctx, group, "method", "attention_rollout"),
            HEED_OK);
        assert_int_equal(heedi_view_init(&v, ctx, r, group, &o), HEED_OK);
        assert_string_equal(heedi_view_title(&v, NULL), row[i].title);
        assert_string_equal(heedi_view_title(&v, "given"), "given");
        heedi_view_clear(&v);
        heed_result_free(r);
    }
    heed_ctx_free(ctx);
}

/* From the head down, what is left is what the tokens have. */
static void steps(void **state)
{
    (void)state;
    const shape q = {4, 3, 2, -1, " a", true, true, 0};
    heed_ctx *ctx = new_ctx();
    heed_result *r = make(ctx, &q);
    for (int t = 0; t < 2; t++) {
        heedi_view v;
        heedi_steps s;
        const heed_figure_options o = {.target = t};
        assert_int_equal(heedi_view_init(&v, ctx, r, group, &o), HEED_OK);
        assert_int_equal(heedi_steps_init(&s, &v), HEED_OK);
        assert_int_equal(s.n_blocks, 5);
        assert_int_equal(s.n_numbered, 3);
        assert_int_equal(s.n_entries, 3);
        assert_string_equal(s.block[0].label, "head");
        assert_string_equal(s.block[1].label, "2");
        assert_string_equal(s.block[3].label, "0");
        assert_string_equal(s.block[4].label, "embed");
        assert_close(s.block[1].sink[0], -0.25, 1e-12);
        assert_close(s.block[3].sink[0], 0.125, 1e-12);
        assert_close(s.block[0].sink[1], 2 * 0.03125, 1e-12);
        double left = s.target;
        for (int64_t b = 0; b < s.n_blocks; b++)
            for (int i = 0; i < s.n_entries; i++)
                left -= s.block[b].sink[i];
        assert_close(left, s.tokens, 1e-12);
        assert_close(heedi_entry_share(&v, "position"), 8 * 0.03125, 1e-12);
        assert_true(isnan(heedi_entry_share(&v, "type")));
        const char *account = heedi_view_account(&v);
        assert_non_null(strstr(account, "+ positions +0.25 + absorbed"));
        heedi_view_clear(&v);
    }
    heed_result_free(r);
    heed_ctx_free(ctx);
}

/* ---- which figure fits --------------------------------------------------- */

static const heed_figure_info *figure(const char *name)
{
    const heed_figure_info *f;
    for (int i = 0; (f = heed_figure_at(i)); i++)
        if (strcmp(f->name, name) == 0)
            return f;
    return NULL;
}

static void what_fits(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_result *r;
    assert_int_equal(heed_result_new(&r, ctx), HEED_OK);
    heed_sink s = heed_result_sink(r);
    assert_int_equal(sample_all(&s, ctx, 4), HEED_OK);
    static const struct {
        const char *name, *group;
        int fits;
    } row[] = {
        {"token_heat", "explanations/attn_lrp", 1},
        {"ledger", "explanations/attn_lrp", 1},
        {"layers", "explanations/attn_lrp", 1},
        {"target_matrix", "explanations/attn_lrp", 0},
        {"target_matrix", "explanations/input_x_gradient", 1},
        {"layers", "explanations/input_x_gradient", 0},
        {"positions", "explanations/attn_lrp", 0},
        {"distance", "explanations/attn_lrp", 0},
        {"attention", "attention", 1},
        {"ledger", "attention", 0},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        assert_int_equal(heed_figure_fits(figure(row[i].name), r, row[i].group),
                         row[i].fits);
    assert_int_equal(heed_figure_draw(ctx, "target_matrix", in_folder("a.png"),
                                      r, "explanations/attn_lrp", NULL),
                     HEED_EINVAL);
    assert_non_null(strstr(heed_error(ctx), "of several targets; what fits: "));
    assert_non_null(strstr(heed_error(ctx), "layers, ledger, token_heat"));
    assert_int_equal(
        heed_figure_draw(ctx, "layers", in_folder("a.png"), r, "nowhere", NULL),
        HEED_EINVAL);
    assert_non_null(strstr(heed_error(ctx), "what fits: nothing"));
    assert_int_equal(access(in_folder("a.png"), F_OK), -1);
    heed_result_free(r);
    heed_ctx_free(ctx);
}

/* ---- pictures ------------------------------------------------------------ */

static void same_bytes(void **state)
{
    (void)state;
    static const char *const extension[] = {".png", ".svg", ".pdf"};
    shape q = plain;
    q.targets = 3;
    heed_ctx *ctx = new_ctx();
    heed_result *r = make(ctx, &q);
    for (int i = 0; i < N_ALL; i++)
        for (int e = 0; e < 3; e++) {
            char a[64], b[64];
            snprintf(a, sizeof a, "same%s", extension[e]);
            snprintf(b, sizeof b, "again%s", extension[e]);
            const heed_figure_options o = {.force = 1, .target = i % 3};
            assert_int_equal(
                heed_figure_draw(ctx, all[i], in_folder(a), r, group, &o),
                HEED_OK);
            assert_int_equal(
                heed_figure_draw(ctx, all[i], in_folder(b), r, group, &o),
                HEED_OK);
            char command[1200];
            snprintf(command, sizeof command, "cmp %s %s", in_folder(a),
                     in_folder(b));
            assert_int_equal(system(command), 0);
        }
    heed_result_free(r);
    heed_ctx_free(ctx);
}

/* One token and many, one layer and many, narrow pages, large letters,
 * negative targets, nothing at all: a page of sensible size. */
static void sizes(void **state)
{
    (void)state;
    static const struct {
        shape q;
        double width, min_font;
    } row[] = {
        {{1, 1, 1, 1, "a", false, false, 0}, 0, 0},
        {{2, 1, 2, -1, " a", true, true, 0}, 200, 0},
        {{30, 2, 1, -1, "\xe6\x97\xa5\xe6\x9c\xac", true, true, 0}, 0, 0},
        {{40, 6, 40, 1, " \n", false, true, 0}, 300, 20},
        {{9, 200, 1, 1, "\xd8\xb9\xd8\xa7", true, true, 0.5}, 0, 0},
        {{3000, 3, 1, 1, " of", true, true, 0}, 0, 0},
        {{700, 2, 50, 1, " of", false, false, 0}, 400, 0},
        {{5, 4, 1, 0, " a", false, false, 0}, 0, 40},
        {{5, 4, 3, 1, "averyveryveryveryveryverylongtokenindeeditis", true,
          true, 0},
         240,
         0},
    };
    heed_ctx *ctx = new_ctx();
    const char *path = in_folder("size.png");
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        heed_result *r = make(ctx, &row[i].q);
        const heed_figure_options o = {.width = row[i].width,
                                       .min_font = row[i].min_font,
                                       .scale = 1,
                                       .force = 1};
        for (int k = 0; k < N_ALL; k++) {
            if (!heed_figure_fits(figure(all[k]), r, group))
                continue;
            assert_int_equal(heed_figure_draw(ctx, all[k], path, r, group, &o),
                             HEED_OK);
            char *p = text_of(path);
            const unsigned char *b = (const unsigned char *)p + 16;
            int w = b[2] << 8 | b[3], h = b[6] << 8 | b[7];
            assert_true(w <= (o.width > 0 ? o.width : 760) && w >= 100);
            /* a text that wraps may be long, a matrix may not */
            assert_true(strcmp(all[k], "positions") == 0 || h <= 1800);
            assert_true(h >= 100);
            free(p);
        }
        heed_result_free(r);
    }
    heed_ctx_free(ctx);
}

static char *svg_of(const char *name, const shape *q)
{
    heed_ctx *ctx = new_ctx();
    heed_result *r = make(ctx, q);
    const heed_figure_options o = {.force = 1, .robust = 100};
    const char *path = in_folder("look.svg");
    assert_int_equal(heed_figure_draw(ctx, name, path, r, group, &o), HEED_OK);
    heed_result_free(r);
    heed_ctx_free(ctx);
    return text_of(path);
}

/* Colours as Cairo writes them. */
#define KAPPA    "rgb(87.84"
#define BIAS     "rgb(10.588"
#define POSITION "rgb(0.392"
#define ALARM    "rgb(75.294"

/* An entry has a colour of its own, and only where it is. */
static void entries_have_colours(void **state)
{
    (void)state;
    shape q = plain;
    q.position = false;
    char *p = svg_of("ledger", &q);
    assert_true(count(p, KAPPA) > 0);
    assert_int_equal(count(p, BIAS) + count(p, POSITION) + count(p, ALARM), 0);
    free(p);
    q.position = q.bias = true;
    p = svg_of("ledger", &q);
    assert_true(count(p, KAPPA) > 0 && count(p, BIAS) > 0 &&
                count(p, POSITION) > 0);
    free(p);
    q.residual = 0.5; /* is said in red */
    p = svg_of("ledger", &q);
    assert_true(count(p, ALARM) > 0);
    free(p);
}

/* How often the colour of the greatest value is drawn; every value is it. */
static int cells_of(const int64_t *pos)
{
    enum { T = 4, N = 2 };
    static const double one[N][T] = {{1, 1, 1, 1}, {1, 1, 1, 1}};
    static const char *const text[N] = {"a", "b"};
    const shape q = {T, 1, N, 1, "x", false, false, 0};
    const heed_figure_options o = {.force = 1};
    const char *path = in_folder("blank.svg");
    heed_ctx *ctx = new_ctx();
    heed_result *r;
    assert_int_equal(heed_result_new(&r, ctx), HEED_OK);
    heed_sink s = heed_result_sink(r);
    put_input(&s, ctx, &q);
    put(&s, ctx, group, "relevance", &q, NULL, 0, "source", T, &one[0][0]);
    attr(&s, ctx, "target_pos", HEED_I64, N, pos);
    attr(&s, ctx, "target_text", HEED_STR, N, text);
    assert_int_equal(heed_figure_draw(ctx, "target_matrix", path, r, group, &o),
                     HEED_OK);
    char *p = text_of(path);
    int n = count(p, "rgb(69.80");
    free(p);
    heed_result_free(r);
    heed_ctx_free(ctx);
    return n;
}

/* After its target a row has no cells, even if the file holds values there. */
static void nothing_after_the_target(void **state)
{
    (void)state;
    static const int64_t few[] = {0, 1}, some[] = {1, 2}, most[] = {3, 3};
    int words = cells_of(few) - (1 + 2); /* below the bar, in that colour */
    assert_true(words >= 0);
    assert_int_equal(cells_of(some) - words, 2 + 3);
    assert_int_equal(cells_of(most) - words, 4 + 4);
}

static void refusals(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_result *r = make(ctx, &plain);
    heed_sink s = heed_result_sink(r);
    const double nan = (double)NAN;
    const double x[2] = {1, nan};
    const shape one = {2, 1, 1, 1, "a", false, false, 0};
    /* lengths that do not fit the tokens, values that are not finite */
    heed_var v = {.group = "explanations/x",
                  .name = "relevance",
                  .type = HEED_F64,
                  .nd = 1,
                  .dim = {"pos"},
                  .len = {12}};
    const double y[12] = {1};
    assert_int_equal(heed_put(&s, ctx, &v, y), HEED_OK);
    put(&s, ctx, "explanations/x", "relevance_layer", &one, "layer", 1, "pos",
        2, y);
    put(&s, ctx, "explanations/x", "position_relevance_distance", &one, "layer",
        1, "distance", 2, x);
    assert_int_equal(heed_figure_draw(ctx, "layers", in_folder("x.svg"), r,
                                      "explanations/x", NULL),
                     HEED_EINVAL);
    assert_non_null(strstr(heed_error(ctx), "has 2 columns, not 12"));
    assert_int_equal(heed_figure_draw(ctx, "distance", in_folder("x.svg"), r,
                                      "explanations/x", NULL),
                     HEED_ENUMERIC);
    /* a method that does not conserve has no account */
    assert_int_equal(heed_put_num(&s, ctx, group, "sum", nan), HEED_OK);
    assert_int_equal(
        heed_figure_draw(ctx, "ledger", in_folder("x.svg"), r, group, NULL),
        HEED_EINVAL);
    assert_non_null(strstr(heed_error(ctx), "has no account"));
    assert_int_equal(access(in_folder("x.svg"), F_OK), -1);
    heed_result_free(r);
    heed_ctx_free(ctx);
}

int main(void)
{
    folder_open();
    const struct CMUnitTest everywhere[] = {test(ticks), test(numbers),
                                            test(of_a_position), test(steps)};
    const struct CMUnitTest with[] = {
        test(what_fits),
        test(same_bytes),
        test(sizes),
        test(entries_have_colours),
        test(nothing_after_the_target),
        test(refusals),
    };
    int bad = cmocka_run_group_tests_name(__FILE__, everywhere, NULL, NULL);
    if (heed_figure_at(0))
        bad += cmocka_run_group_tests_name("figures", with, NULL, NULL);
    return folder_close(bad);
}
