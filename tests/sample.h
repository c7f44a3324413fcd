/* sample.h - a result as the engine writes it, made by hand. */
#ifndef SAMPLE_H
#define SAMPLE_H

#include <heed/result.h>

enum { SAMPLE_POS = 9, SAMPLE_LAYERS = 2, SAMPLE_HEADS = 3 };

#define TRY_(expr)                \
    do {                          \
        heed_status st_ = (expr); \
        if (st_ != HEED_OK)       \
            return st_;           \
    } while (0)

static inline heed_status sample_put(const heed_sink *s, heed_ctx *ctx,
                                     const char *group, const char *name,
                                     heed_type type, const char *dim, int64_t n,
                                     const void *data)
{
    heed_var v = {.group = group,
                  .name = name,
                  .type = type,
                  .nd = dim != NULL,
                  .dim = {dim},
                  .len = {n}};
    return heed_put(s, ctx, &v, data);
}

static inline heed_status sample_input(const heed_sink *s, heed_ctx *ctx)
{
    static const char text[] =
        "Marie \xe5\xb1\x85\xe9\x87\x8c \"was\" born,\n \xf0\x9f\x98\x80";
    static const char *const p = text;
    static const char *const token[SAMPLE_POS] = {"<s>",
                                                  "Marie",
                                                  " \xe5\xb1\x85\xe9\x87\x8c",
                                                  " \"was\"",
                                                  " born",
                                                  ",",
                                                  "\n",
                                                  " \xe2\x9f\xa8"
                                                  "F0 9F\xe2\x9f\xa9",
                                                  "\xe2\x9f\xa8"
                                                  "98 80\xe2\x9f\xa9"};
    static const int32_t id[SAMPLE_POS] = {1, 11, 12, 13, 14, 15, 16, 17, 18};
    static const int64_t from[SAMPLE_POS] = {0, 0, 5, 12, 18, 23, 24, 25, 28};
    static const int64_t to[SAMPLE_POS] = {0, 5, 12, 18, 23, 24, 25, 28, 30};
    static const uint8_t special[SAMPLE_POS] = {1};
    static const int32_t word[SAMPLE_POS] = {-1, 0, 1, 2, 3, 4, -1, 5, 5};
    TRY_(sample_put(s, ctx, "input", "text", HEED_STR, NULL, 0, &p));
    TRY_(sample_put(s, ctx, "input", "token", HEED_STR, "pos", SAMPLE_POS,
                    token));
    TRY_(sample_put(s, ctx, "input", "token_id", HEED_I32, "pos", SAMPLE_POS,
                    id));
    TRY_(sample_put(s, ctx, "input", "byte_start", HEED_I64, "pos", SAMPLE_POS,
                    from));
    TRY_(sample_put(s, ctx, "input", "byte_end", HEED_I64, "pos", SAMPLE_POS,
                    to));
    TRY_(sample_put(s, ctx, "input", "is_special", HEED_U8, "pos", SAMPLE_POS,
                    special));
    return sample_put(s, ctx, "input", "word_id", HEED_I32, "pos", SAMPLE_POS,
                      word);
}

static inline heed_status sample_account(const heed_sink *s, heed_ctx *ctx,
                                         const char *group)
{
    TRY_(heed_put_str(s, ctx, group, "method", "attn_lrp"));
    TRY_(heed_put_str(s, ctx, group, "options", "{\"epsilon\": 1e-06}"));
    TRY_(heed_put_str(s, ctx, group, "target_kind", "logit"));
    TRY_(heed_put_int(s, ctx, group, "target_id", 42));
    TRY_(heed_put_str(s, ctx, group, "target_text", " Paris"));
    TRY_(heed_put_int(s, ctx, group, "target_pos", SAMPLE_POS - 1));
    TRY_(heed_put_str(s, ctx, group, "reduce", "sum"));
    TRY_(heed_put_str(s, ctx, group, "units", "logit"));
    TRY_(heed_put_str(s, ctx, group, "sign", "signed"));
    TRY_(heed_put_num(s, ctx, group, "sum", 1.5));
    TRY_(heed_put_num(s, ctx, group, "absorbed", 0.25));
    TRY_(heed_put_num(s, ctx, group, "target_value", 1.75));
    return heed_put_num(s, ctx, group, "conservation_residual", 0);
}

static inline heed_status sample_ledger(const heed_sink *s, heed_ctx *ctx,
                                        const char *group, int64_t n)
{
    static const char *const op[4] = {"block.0.attn", "block.0.mlp",
                                      "block.1.attn", "head"};
    static const double in[4] = {1.5, 1.6, 1.7, 1.75};
    static const double out[4] = {1.45, 1.5, 1.6, 1.7};
    static const double kappa[4] = {0.05, 0.1, 0.1, 0};
    TRY_(sample_put(s, ctx, group, "op_name", HEED_STR, "op", n, op));
    TRY_(sample_put(s, ctx, group, "relevance_in", HEED_F64, "op", n, in));
    TRY_(sample_put(s, ctx, group, "relevance_out", HEED_F64, "op", n, out));
    return sample_put(s, ctx, group, "sink_kappa", HEED_F64, "op", n, kappa);
}

static inline heed_status sample_explain(const heed_sink *s, heed_ctx *ctx)
{
    static const heed_real r[SAMPLE_POS] = {
        (heed_real)0.1,  (heed_real)-0.5,  (heed_real)0.75, 0,
        (heed_real)0.25, (heed_real)-0.05, (heed_real)1e-9, (heed_real)0.45,
        (heed_real)0.5};
    static const char *const g = "explanations/attn_lrp";
    heed_real block[SAMPLE_LAYERS + 1][SAMPLE_POS];
    heed_var v = {
        g,       "relevance",  HEED_TYPE_REAL, 1,
        {"pos"}, {SAMPLE_POS}, "logit",        "relevance of the token"};
    TRY_(heed_put(s, ctx, &v, r));
    TRY_(sample_account(s, ctx, g));
    for (int l = 0; l <= SAMPLE_LAYERS; l++)
        for (int t = 0; t < SAMPLE_POS; t++)
            block[l][t] = r[t] / (heed_real)(l + 1);
    heed_var w = {.group = g,
                  .name = "relevance_layer",
                  .type = HEED_TYPE_REAL,
                  .nd = 2,
                  .dim = {"layer", "pos"},
                  .len = {SAMPLE_LAYERS + 1, SAMPLE_POS}};
    TRY_(heed_put(s, ctx, &w, block));
    return sample_ledger(s, ctx, "explanations/attn_lrp/ledger", 4);
}

/* Positions beside tokens, by layer and by distance. */
static inline heed_status sample_positions(const heed_sink *s, heed_ctx *ctx)
{
    static const char *const g = "explanations/pa_lrp";
    static const char *const name[] = {"position_relevance",
                                       "position_relevance_distance"};
    static const char *const dim[] = {"pos", "distance"};
    heed_real x[SAMPLE_LAYERS][SAMPLE_POS];
    for (int l = 0; l < SAMPLE_LAYERS; l++)
        for (int t = 0; t < SAMPLE_POS; t++)
            x[l][t] = (heed_real)(t - 3) / (heed_real)(8 * (l + 1));
    TRY_(sample_put(s, ctx, g, "relevance", HEED_TYPE_REAL, "pos", SAMPLE_POS,
                    x[0]));
    TRY_(sample_put(s, ctx, g, "token_relevance", HEED_TYPE_REAL, "pos",
                    SAMPLE_POS, x[1]));
    for (int i = 0; i < 2; i++) {
        heed_var v = {.group = g,
                      .name = name[i],
                      .type = HEED_TYPE_REAL,
                      .nd = 2,
                      .dim = {"layer", dim[i]},
                      .len = {SAMPLE_LAYERS, SAMPLE_POS}};
        TRY_(heed_put(s, ctx, &v, x));
    }
    return sample_account(s, ctx, g);
}

/* Relevance of a picture: a learned token, and 2 x 4 patches of 3 x 2 pixels.
 */
static inline heed_status sample_pixels(const heed_sink *s, heed_ctx *ctx)
{
    enum { H = 6, W = 8 };
    static const char *const g = "explanations/saliency";
    unsigned char rgb[H][W][3];
    heed_real token[SAMPLE_POS], pixel[H][W];
    for (int t = 0; t < SAMPLE_POS; t++)
        token[t] = (heed_real)(t % 3 - 1) / 2;
    for (int i = 0; i < H; i++)
        for (int k = 0; k < W; k++) {
            pixel[i][k] = (heed_real)((i * W + k) % 5 - 2);
            for (int c = 0; c < 3; c++)
                rgb[i][k][c] = (unsigned char)(40 * i + 5 * k + 20 * c);
        }
    heed_var v = {.group = g,
                  .name = "pixel_relevance",
                  .type = HEED_TYPE_REAL,
                  .nd = 2,
                  .dim = {"row", "column"},
                  .len = {H, W}};
    heed_var w = {.group = "input",
                  .name = "image",
                  .type = HEED_U8,
                  .nd = 3,
                  .dim = {"row", "column", "rgb"},
                  .len = {H, W, 3}};
    TRY_(heed_put(s, ctx, &v, pixel));
    TRY_(heed_put(s, ctx, &w, rgb));
    TRY_(sample_put(s, ctx, g, "relevance", HEED_TYPE_REAL, "pos", SAMPLE_POS,
                    token));
    TRY_(heed_put_int(s, ctx, "input", "patch_rows", 2));
    TRY_(heed_put_int(s, ctx, "input", "patch_columns", 4));
    TRY_(heed_put_int(s, ctx, "input", "patch_height", 3));
    return heed_put_int(s, ctx, "input", "patch_width", 2);
}

/* Two targets: the dimension `target` first, attributes as arrays. */
static inline heed_status sample_targets(const heed_sink *s, heed_ctx *ctx)
{
    static const char *const g = "explanations/input_x_gradient";
    static const char *const text[2] = {" Paris", " \xe5\xb1\x85"};
    static const int64_t id[2] = {42, 43}, pos[2] = {7, 8};
    static const double value[2] = {1.75, (double)NAN}, one[2] = {1, 2};
    heed_real r[2][SAMPLE_POS] = {{(heed_real)0.5, -1}, {1, 1, -1}};
    heed_var v = {.group = g,
                  .name = "relevance",
                  .type = HEED_TYPE_REAL,
                  .nd = 2,
                  .dim = {"target", "source"},
                  .len = {2, SAMPLE_POS}};
    TRY_(heed_put(s, ctx, &v, r));
    TRY_(heed_put_str(s, ctx, g, "method", "input_x_gradient"));
    TRY_(heed_put_str(s, ctx, g, "target_kind", "logit"));
    TRY_(s->attr(s->ud, ctx, g, "target_id", (heed_attr){HEED_I64, 2, id}));
    TRY_(s->attr(s->ud, ctx, g, "target_text", (heed_attr){HEED_STR, 2, text}));
    TRY_(s->attr(s->ud, ctx, g, "target_pos", (heed_attr){HEED_I64, 2, pos}));
    TRY_(s->attr(s->ud, ctx, g, "target_value",
                 (heed_attr){HEED_F64, 2, value}));
    TRY_(s->attr(s->ud, ctx, g, "sum", (heed_attr){HEED_F64, 2, one}));
    TRY_(heed_put_str(s, ctx, g, "sign", "signed"));
    return sample_ledger(s, ctx, "explanations/input_x_gradient/ledger", 3);
}

/* How far rows reach, of the same layers. */
static inline heed_status sample_profile(const heed_sink *s, heed_ctx *ctx)
{
    static const char *const g = "attention";
    static const double distance[SAMPLE_LAYERS] = {2.5, 1.25};
    double share[SAMPLE_LAYERS][SAMPLE_POS];
    for (int l = 0; l < SAMPLE_LAYERS; l++)
        for (int t = 0; t < SAMPLE_POS; t++)
            share[l][t] = 0.4 / (double)(1 + t * (l + 1));
    heed_var v = {.group = g,
                  .name = "lag_share",
                  .type = HEED_F64,
                  .nd = 2,
                  .dim = {"layer", "lag"},
                  .len = {SAMPLE_LAYERS, SAMPLE_POS}};
    TRY_(heed_put(s, ctx, &v, share));
    return s->attr(s->ud, ctx, g, "mean_distance",
                   (heed_attr){HEED_F64, SAMPLE_LAYERS, distance});
}

/* Maps of layers 3 and 7, a slab at a time. */
static inline heed_status sample_attention(const heed_sink *s, heed_ctx *ctx,
                                           int64_t n)
{
    static const int32_t layer[SAMPLE_LAYERS] = {3, 7};
    heed_var v = {.group = "attention",
                  .name = "attention",
                  .type = HEED_TYPE_REAL,
                  .nd = 4,
                  .dim = {"layer", "head", "query", "key"},
                  .len = {SAMPLE_LAYERS, SAMPLE_HEADS, n, n}};
    static const char *const word[4] = {"The", " cat", ",", " sat"};
    static heed_real row[1024];
    static const char *token[1024];
    for (int64_t t = 0; t < n; t++)
        token[t] = word[t % 4];
    TRY_(sample_put(s, ctx, "", "layer", HEED_I32, "layer", SAMPLE_LAYERS,
                    layer));
    TRY_(s->define(s->ud, ctx, &v));
    TRY_(sample_put(s, ctx, "attention", "query_token", HEED_STR, "query", n,
                    token));
    TRY_(sample_put(s, ctx, "attention", "key_token", HEED_STR, "key", n,
                    token));
    for (int64_t l = 0; l < SAMPLE_LAYERS; l++)
        for (int64_t h = 0; h < SAMPLE_HEADS; h++)
            for (int64_t q = 0; q < n; q++) {
                const int64_t start[4] = {l, h, q, 0}, count[4] = {1, 1, 1, n};
                heed_real sum = 0;
                for (int64_t k = 0; k < n; k++)
                    sum += row[k] =
                        k > q ? 0
                              : 1 / (heed_real)(1 + (q * (l + 2) + k * 7) %
                                                        (5 + h));
                for (int64_t k = 0; k < n; k++)
                    row[k] /= sum;
                TRY_(s->write(s->ud, ctx, v.group, v.name, start, count, row));
            }
    TRY_(sample_profile(s, ctx));
    TRY_(heed_put_str(s, ctx, "attention", "kind", "softmax"));
    TRY_(heed_put_str(s, ctx, "attention", "variant", "exact"));
    TRY_(heed_put_str(s, ctx, "attention", "normalisation", "none"));
    return heed_put_str(s, ctx, "attention", "reduction", "none");
}

static inline heed_status sample_run(const heed_sink *s, heed_ctx *ctx)
{
    static const char *const argv[3] = {"heed", "attribute", "-p \"x\""};
    TRY_(heed_put_str(s, ctx, "", "format", "heed"));
    TRY_(heed_put_int(s, ctx, "", "format_version", 1));
    TRY_(heed_put_str(s, ctx, "", "Conventions", "CF-1.10"));
    TRY_(heed_put_str(s, ctx, "", "model_name", "SmolLM2-135M-Instruct"));
    TRY_(heed_put_str(s, ctx, "", "model_arch", "llama"));
    TRY_(heed_put_str(s, ctx, "", "dtype_weights", "q4_k"));
    TRY_(heed_put_str(s, ctx, "", "dtype_compute", "f32"));
    TRY_(heed_put_int(s, ctx, "", "seed", 0));
    return s->attr(s->ud, ctx, "", "argv", (heed_attr){HEED_STR, 3, argv});
}

static inline heed_status sample_all(const heed_sink *s, heed_ctx *ctx,
                                     int64_t n)
{
    TRY_(sample_run(s, ctx));
    TRY_(sample_input(s, ctx));
    TRY_(sample_explain(s, ctx));
    TRY_(sample_targets(s, ctx));
    return sample_attention(s, ctx, n);
}

#endif
