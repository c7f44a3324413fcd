/* Tensors that modules were saved with beside their weights are ignored, in the
 * files of every family, and change no bit; any other tensor is refused by
 * name. */
#include "testlib.h"

#include "engine.h"
#include "modeldir.h"

/* One for every family that is read from Hugging Face directories. */
static const char *const models[] = {
    "llama/plain",   "gpt2/plain",           "gpt_neox/plain",
    "gptj/plain",    "bloom/plain",          "bert/plain",
    "vit/vit_plain", "vit/deit_plain",       "mamba/plain",
    "mamba2/limits", "falcon_mamba/bias",    "rwkv/plain",
    "rwkv6/plain",   "recurrent_gemma/plain"};
enum { N_MODELS = sizeof models / sizeof *models };

/* A tensor of 4 numbers. */
typedef struct extra {
    const char *name, *dtype, *shape;
    int bytes;
    const char *refused; /* NULL: it is not */
} extra;

static const extra extras[] = {
    {"x.layers.0.self_attn.rotary_emb.inv_freq", "F32", "4", 16, NULL},
    {"rotary_emb.inv_freq", "BF16", "4", 8, NULL},
    {"x.h.0.attn.bias", "F32", "1,1,2,2", 16, NULL},
    {"x.h.0.attn.bias", "BOOL", "1,1,2,2", 4, NULL},
    {"x.layers.0.attention.bias", "F16", "1,1,2,2", 8, NULL},
    {"x.h.0.attn.masked_bias", "F32", "4", 16, NULL},
    {"x.layers.0.attention.masked_bias", "F32", "2,2", 16, NULL},
    {"x.embeddings.position_ids", "I64", "1,4", 32, NULL},
    {"embeddings.position_ids", "F32", "4", 16, NULL},
    {"x.embed_scale", "F32", "4", 16, NULL},
    {"x.norm.num_batches_tracked", "I64", "4", 32, NULL},
    {"x.mask", "BOOL", "2,2", 4, NULL},
    {"x.cache", "I32", "4", 16, NULL},
    {"x.h.0.attn.bias", "F32", "2,2", 16, "x.h.0.attn.bias"},
    {"x.layers.0.attention.bias", "F32", "4", 16, "x.layers.0.attention.bias"},
    {"x.layers.0.inv_freq", "F32", "4", 16, "x.layers.0.inv_freq"},
    {"x.embed_scales", "F32", "4", 16, "x.embed_scales"},
    {"x.position", "F32", "4", 16, "x.position"},
};

/* The model's file with one more tensor, its bytes after all others. */
static void add(const char *model, const extra *x)
{
    char path[256], entry[256];
    size_t n;
    uint64_t head;
    snprintf(path, sizeof path, "tests/golden/%s/model.safetensors", model);
    char *file = modeldir_read(path, &n);
    memcpy(&head, file, sizeof head);
    const size_t data = n - 8 - head;
    const int k =
        snprintf(entry, sizeof entry,
                 "\"%s\":{\"dtype\":\"%s\",\"shape\":[%s],"
                 "\"data_offsets\":[%zu,%zu]},",
                 x->name, x->dtype, x->shape, data, data + (size_t)x->bytes);
    const size_t pad = 8 - (size_t)k % 8, more = (size_t)k + pad;
    char *out = calloc(1, n + more + (size_t)x->bytes), *at = out;
    const uint64_t longer = head + more;
    memcpy(at, &longer, sizeof longer);
    at[8] = '{';
    memcpy(at + 9, entry, (size_t)k);
    memset(at + 9 + k, ' ', pad);
    memcpy(at + 9 + more, file + 9, n - 9);
    memset(at + n + more, 1, (size_t)x->bytes);
    modeldir_write("model.safetensors", out, n + more + (size_t)x->bytes);
    free(out);
    free(file);
}

/* Of a few tokens, or of a picture. */
static heed_candidate best(heed_ctx *ctx, const heed_model *m)
{
    const heed_model_info *i = heed_model_about(m);
    const int64_t last = i->head == HEED_HEAD_CLASS ? 0 : 4;
    heed_candidate c;
    heed_status st;
    if (i->image_height > 0) {
        const int64_t n = i->image_channels * i->image_height * i->image_width;
        heed_pixels p = {.channels = i->image_channels,
                         .height = i->image_height,
                         .width = i->image_width,
                         .x = malloc((size_t)n * sizeof *p.x)};
        uint32_t seed = 3;
        for (int64_t k = 0; k < n; k++)
            p.x[k] = rnd(&seed);
        st = heed_predict_image(ctx, m, &p, 1, &c);
        free(p.x);
    } else {
        heed_tokens *t = some_tokens(ctx, m, 5, 1);
        st = heed_predict_tokens(ctx, m, t, &last, 1, 1, &c);
        heed_tokens_free(ctx, t);
    }
    if (st != HEED_OK)
        fail_msg("%s", heed_error(ctx));
    return c;
}

static heed_candidate sound(heed_ctx *ctx, const char *model)
{
    char path[64];
    snprintf(path, sizeof path, "../%s", model);
    heed_model *m = golden(ctx, path);
    const heed_candidate c = best(ctx, m);
    heed_model_free(m);
    return c;
}

static void one(heed_ctx *ctx, const char *model, const extra *x,
                heed_candidate want)
{
    heed_model *m;
    add(model, x);
    const heed_status st = heed_model_load(&m, ctx, modeldir);
    if (x->refused) {
        char text[128];
        snprintf(text, sizeof text, "models do not have: %s", x->refused);
        if (st != HEED_ENOTSUP || !strstr(heed_error(ctx), text))
            fail_msg("%s, %s: %d '%s'", model, x->name, st, heed_error(ctx));
        return;
    }
    if (st != HEED_OK)
        fail_msg("%s, %s of %s: %s", model, x->name, x->dtype, heed_error(ctx));
    const heed_candidate got = best(ctx, m);
    assert_int_equal(got.id, want.id);
    assert_true(got.logit == want.logit);
    heed_model_free(m);
}

static void test_buffers(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    for (int i = 0; i < N_MODELS; i++) {
        const heed_candidate want = sound(ctx, models[i]);
        modeldir_config(models[i], "{", "{");
        for (size_t k = 0; k < sizeof extras / sizeof *extras; k++)
            one(ctx, models[i], &extras[k], want);
    }
    heed_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {test(test_buffers)};
    return cmocka_run_group_tests_name(__FILE__, tests, modeldir_setup,
                                       modeldir_teardown) != 0;
}
