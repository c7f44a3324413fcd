/* What the families of decoders refuse of a configuration, by name. */
#include "testlib.h"

#include "modeldir.h"

static const struct refusal {
    const char *model;    /* below tests/golden */
    const char *was, *is; /* the first of config.json becomes the second */
    heed_status st;
    const char *text;
} refusals[] = {
    {"gpt_neox/plain", "\"num_attention_heads\": 3",
     "\"num_attention_heads\": 5", HEED_EFORMAT,
     "width 24 is no multiple of 5 heads"},
    {"gpt_neox/plain", "{", "{\"rotary_pct\": 0.4, ", HEED_ENOTSUP,
     "rotation of 3 of the 8 dimensions of a head, which is no even number"},
    {"gpt_neox/plain", "{", "{\"rotary_pct\": 0, ", HEED_ENOTSUP,
     "rotation of 0 of the 8 dimensions of a head"},
    {"gpt_neox/plain", "{", "{\"rotary_pct\": 1.5, ", HEED_EFORMAT,
     "is 1.5, must be from 0 to 1"},
    {"gpt_neox/plain", "{", "{\"attention_bias\": false, ", HEED_EFORMAT,
     "layer 0: attention_bias is false, but there are biases of queries, keys "
     "and values, and one of the output"},
    {"gpt_neox/no_bias_relu", "\"attention_bias\": false",
     "\"attention_bias\": true", HEED_EFORMAT,
     "attention_bias is true, but there are no biases"},
    {"gpt_neox/plain", "{", "{\"use_parallel_residual\": 3, ", HEED_EFORMAT,
     "'use_parallel_residual' is not true or false"},
    {"gpt_neox/plain", "{", "{\"hidden_act\": \"prelu\", ", HEED_ENOTSUP,
     "activation 'prelu' is not supported"},
    {"gpt_neox/plain", "{", "{\"hidden_act\": 3, ", HEED_EFORMAT,
     "'hidden_act' is not a string"},
    {"gpt_neox/whole_tied", "\"tie_word_embeddings\": true",
     "\"tie_word_embeddings\": 1", HEED_EFORMAT,
     "'tie_word_embeddings' is not true or false"},
    {"gpt_neox/dynamic_bare", "\"tie_word_embeddings\": true",
     "\"tie_word_embeddings\": false", HEED_EFORMAT,
     "the tensor of the head is missing"},
    {"gptj/plain", "\"n_head\": 3", "\"n_head\": 7", HEED_EFORMAT,
     "width 24 is no multiple of 7 heads"},
    {"gptj/plain", "\"rotary_dim\": 4", "\"rotary_dim\": null", HEED_ENOTSUP,
     "'rotary_dim' is null"},
    {"gptj/plain", "\"rotary_dim\": 4", "\"rotary_dim\": 3", HEED_ENOTSUP,
     "'rotary_dim' is 3, which is no even part of the 8 dimensions of a head"},
    {"gptj/plain", "\"rotary_dim\": 4", "\"rotary_dim\": 10", HEED_EFORMAT,
     "'rotary_dim' is 10, must be from 2 to 8"},
    {"gptj/plain", "\"rotary_dim\": 4", "\"n_ctx\": 4", HEED_ENOTSUP,
     "'rotary_dim' is 64, which is no even part of the 8 dimensions"},
    {"gptj/plain", "{", "{\"rope_theta\": 500, ", HEED_ENOTSUP,
     "'gptj' models have theta=10000 without scaling"},
    {"gptj/plain", "{",
     "{\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2}, ", HEED_ENOTSUP,
     "'gptj' models have theta=10000 without scaling"},
    {"rwkv/narrow", "\"attention_hidden_size\": 7",
     "\"attention_hidden_size\": null", HEED_ESHAPE,
     "attention.time_decay has shape (7), the configuration says (18)"},
    {"rwkv/narrow", "\"intermediate_size\": 23", "\"use_cache\": true",
     HEED_ESHAPE,
     "feed_forward.key.weight has shape (23, 18), the configuration says (72, "
     "18)"},
    {"rwkv/tied", "\"tie_word_embeddings\": true",
     "\"tie_word_embeddings\": null", HEED_EFORMAT,
     "the tensor of the head is missing"},
    {"rwkv/plain", "\"rwkv\"", "\"rwkv5\"", HEED_ENOTSUP,
     "models of type 'rwkv5' are not supported"},
    {"bloom/plain", "{", "{\"n_head\": 5, ", HEED_EFORMAT,
     "width 24 is no multiple of 5 heads"},
    {"bloom/plain", "{",
     "{\"apply_residual_connection_post_layernorm\": \"no\", ", HEED_EFORMAT,
     "'apply_residual_connection_post_layernorm' is not true or false"},
    {"bloom/plain", "\"hidden_size\": 24", "\"hidden_size\": 32", HEED_ESHAPE,
     "tensor transformer.word_embeddings.weight has shape (61, 24), the "
     "configuration says (61, 32)"},
    {"rwkv6/plain", "\"head_size\": 8", "\"head_size\": 7", HEED_EFORMAT,
     "width 24 is no multiple of the head size 7"},
    {"rwkv6/plain", "\"head_size\": 8", "\"head_size\": 4", HEED_ESHAPE,
     "time_faaaa has shape (3, 8), the configuration says (6, 4)"},
    {"rwkv6/plain", "{", "{\"attention_hidden_size\": 48, ", HEED_ESHAPE,
     "the configuration says (1, 1, 48)"},
    {"rwkv6/wider", "\"intermediate_size\": 50", "\"intermediate_size\": 51",
     HEED_ESHAPE, "feed_forward.key.weight has shape (50, 20)"},
    {"rwkv6/plain", "{", "{\"head_size_divisor\": -8, ", HEED_EFORMAT,
     "'head_size_divisor' is -8"},
    {"recurrent_gemma/plain", "\"num_attention_heads\": 3",
     "\"num_attention_heads\": 5", HEED_EFORMAT,
     "width 24, lru_width 24, 5 heads of 0 and 5 key/value heads do not fit "
     "together"},
    {"recurrent_gemma/plain", "{", "{\"lru_width\": 25, ", HEED_EFORMAT,
     "lru_width 25, 3 heads"},
    {"recurrent_gemma/plain", "{", "{\"num_key_value_heads\": 2, ",
     HEED_EFORMAT, "3 heads of 8 and 2 key/value heads"},
    {"recurrent_gemma/plain", "\"intermediate_size\": 46",
     "\"intermediate_size\": 47", HEED_EFORMAT,
     "'intermediate_size' is 47, must be even"},
    {"recurrent_gemma/plain", "\"intermediate_size\": 46",
     "\"intermediate_size\": 92", HEED_ESHAPE,
     "has shape (23, 24), the configuration says (46, 24)"},
    {"recurrent_gemma/plain", "{", "{\"partial_rotary_factor\": 0.4, ",
     HEED_ENOTSUP,
     "'partial_rotary_factor' 0.4 turns 3 of the 8 dimensions of a head"},
    {"recurrent_gemma/plain", "{", "{\"partial_rotary_factor\": 1.5, ",
     HEED_EFORMAT, "is 1.5, must be from 0 to 1"},
    {"recurrent_gemma/plain", "{",
     "{\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2}, ", HEED_ENOTSUP,
     "'recurrent_gemma' models have no scaling"},
    {"recurrent_gemma/plain", "{", "{\"logits_soft_cap\": -1, ", HEED_EFORMAT,
     "'logits_soft_cap' is -1"},
    {"recurrent_gemma/plain", "{", "{\"attention_window_size\": 0, ",
     HEED_EFORMAT, "'attention_window_size' is 0"},
    {"recurrent_gemma/plain", "{", "{\"conv1d_width\": 3, ", HEED_ESHAPE,
     "the configuration says (24, 1, 3)"},
    {"recurrent_gemma/plain", "{", "{\"hidden_activation\": \"prelu\", ",
     HEED_ENOTSUP, "activation 'prelu' is not supported"},
    {"recurrent_gemma/plain", "{", "{\"attention_bias\": true, ", HEED_EFORMAT,
     "layer 2 is attention, but tensor "
     "model.layers.2.temporal_block.q_proj.bias is missing"},
    {"recurrent_gemma/bias", "\"attention_bias\": true",
     "\"attention_bias\": false", HEED_EFORMAT,
     "layer 2 is attention, but tensor "
     "model.layers.2.temporal_block.q_proj.bias is there"},
    {"recurrent_gemma/plain", "{", "{\"block_types\": [\"attention\"], ",
     HEED_EFORMAT,
     "layer 0 is attention, but tensor "
     "model.layers.0.temporal_block.q_proj.weight is missing"},
    {"recurrent_gemma/plain", "{", "{\"block_types\": [\"recurrent\"], ",
     HEED_EFORMAT,
     "layer 2 is recurrent, but tensor "
     "model.layers.2.temporal_block.q_proj.weight is there"},
    {"recurrent_gemma/plain", "{",
     "{\"block_types\": [\"recurrent\", \"mamba\"], ", HEED_ENOTSUP,
     "layers of type 'mamba' are not supported"},
    {"recurrent_gemma/plain", "{", "{\"block_types\": [], ", HEED_EFORMAT,
     "'block_types' is no list of types"},
    {"recurrent_gemma/plain", "{", "{\"_block_types\": \"recurrent\", ",
     HEED_EFORMAT, "'block_types' is no list of types"},
    {"recurrent_gemma/hub", "{",
     "{\"block_types\": [\"recurrent\", \"attention\"], ", HEED_EFORMAT,
     "'block_types' and '_block_types' differ"},
    {"recurrent_gemma/bias", "\"tie_word_embeddings\": false",
     "\"head_dim\": 16", HEED_ESHAPE, "the configuration says (48, 24)"},
    {"gemma3/plain", "{", "{\"attn_logit_softcapping\": 50.0, ", HEED_ENOTSUP,
     "'attn_logit_softcapping': scores with a cap are not supported"},
    {"gemma3/plain", "\"gemma3_text\"", "\"gemma2\"", HEED_ENOTSUP,
     "models of type 'gemma2' are not supported"},
    {"gemma3/plain", "{", "{\"use_bidirectional_attention\": true, ",
     HEED_ENOTSUP, "'use_bidirectional_attention'"},
    {"gemma3/plain", "{", "{\"final_logit_softcapping\": -1, ", HEED_EFORMAT,
     "'final_logit_softcapping' is -1"},
    {"gemma3/plain", "\"sliding_window\": 7", "\"sliding_window\": null",
     HEED_ENOTSUP, "'sliding_window' is null"},
    {"gemma3/plain", "\"sliding_window\": 7", "\"sliding_window\": 0",
     HEED_EFORMAT, "'sliding_window' is 0"},
    {"gemma3/plain", "\"sliding_window_pattern\": 3",
     "\"sliding_window_pattern\": 0", HEED_EFORMAT,
     "'sliding_window_pattern' is 0"},
    {"gemma3/plain", "{", "{\"layer_types\": \"full_attention\", ",
     HEED_EFORMAT, "'layer_types' is no list of types"},
    {"gemma3/plain", "{", "{\"layer_types\": [\"full_attention\"], ",
     HEED_EFORMAT, "types of 1 layers, but there are 3"},
    {"gemma3/typed_v5", "\"full_attention\"", "\"chunked_attention\"",
     HEED_ENOTSUP, "layers of type 'chunked_attention' are not supported"},
    {"gemma3/typed_v5", "\"sliding_attention\": {", "\"other_attention\": {",
     HEED_EFORMAT, "no 'rope_parameters.sliding_attention'"},
    {"gemma3/typed_v5", "\"linear\"", "\"lin\"", HEED_ENOTSUP,
     "rope type 'lin' is not supported"},
    {"gemma3/typed_v5", "\"rope_theta\": 300.0", "\"rope_theta\": 0",
     HEED_EFORMAT, "rope theta is 0, must be positive"},
    {"gemma3/typed", "\"rope_local_base_freq\": 300.0",
     "\"rope_local_base_freq\": -1", HEED_EFORMAT,
     "rope theta is -1, must be positive"},
    {"gemma3/plain", "\"query_pre_attn_scalar\": 10",
     "\"query_pre_attn_scalar\": 0", HEED_EFORMAT,
     "'query_pre_attn_scalar' is 0"},
    {"gemma3/plain", "\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3",
     HEED_EFORMAT, "4 heads of 10 and 3 key/value heads do not fit together"},
    {"gemma3/plain", "\"head_dim\": 10", "\"head_dim\": 20", HEED_ESHAPE,
     "the configuration says (20)"},
    {"gemma3/plain", "\"head_dim\": 10", "\"head_dim\": 5", HEED_EFORMAT,
     "4 heads of 5 and 2 key/value heads do not fit together"},
    {"gemma3/plain", "{", "{\"hidden_activation\": \"prelu\", ", HEED_ENOTSUP,
     "activation 'prelu' is not supported"},
    {"gemma3/plain", "{", "{\"attention_bias\": true, ", HEED_EFORMAT,
     "layer 0: attention_bias is true, but a bias of q, k, v or o is missing"},
    {"gemma3/bias", "\"attention_bias\": true", "\"attention_bias\": false",
     HEED_EFORMAT,
     "layer 0: attention_bias is false, but a bias of q, k, v or o is there"},
    {"gemma3/untied", "\"tie_word_embeddings\": false",
     "\"tie_word_embeddings\": 0", HEED_EFORMAT,
     "'tie_word_embeddings' is not true or false"},
    {"gemma3/plain", "{", "{\"tie_word_embeddings\": false, ", HEED_EFORMAT,
     "the tensor of the head is missing"},
    {"gemma3/inside_hub", "\"text_config\"", "\"language_config\"",
     HEED_EFORMAT, "has no text_config"},
    {"gemma3/inside_hub", "{",
     "{\"quantization_config\": {\"quant_method\": \"awq\"}, ", HEED_ENOTSUP,
     "weights quantised as 'awq' are not supported"},
    {"gemma3/inside_hub", "\"gemma3\"", "\"gemma3n\"", HEED_ENOTSUP,
     "models of type 'gemma3n' are not supported"},
    {"falcon_mamba/plain", "\"intermediate_size\": 36",
     "\"intermediate_size\": 0", HEED_EFORMAT, "the inner size is 0"},
    {"falcon_mamba/eps_large", "\"mixer_rms_eps\": 0.5", "\"mixer_rms_eps\": 2",
     HEED_EFORMAT, "'mixer_rms_eps' is 2, must be from 0 to 1"},
    {"mamba2/plain", "{", "{\"norm_before_gate\": true, ", HEED_ENOTSUP,
     "norm_before_gate true is not supported"},
    {"mamba2/plain", "{", "{\"attn_layer_idx\": [1], ", HEED_ENOTSUP,
     "hybrids with attention or feed-forward layers are not supported"},
    {"mamba2/plain", "\"num_heads\": 4", "\"num_heads\": 3", HEED_EFORMAT,
     "3 heads of 9 columns do not make an inner size of 36"},
    {"mamba2/groups2", "\"n_groups\": 2", "\"n_groups\": 3", HEED_EFORMAT,
     "4 heads are no multiple of 3 groups"},
    {"mamba2/plain", "{", "{\"time_step_limit\": [1, 0.5], ", HEED_EFORMAT,
     "'time_step_limit' is no pair of numbers, the smaller one first"},
    {"mamba2/native_groups", "\"d_ssm\": 36", "\"d_ssm\": 18", HEED_ENOTSUP,
     "d_ssm 18 is not supported: the state space must have the whole inner "
     "size, 36"},
    {"mamba2/native_groups", "\"D_has_hdim\": false", "\"D_has_hdim\": true",
     HEED_ENOTSUP, "D_has_hdim true is not supported"},
    {"mamba2/native_groups", "\"norm_before_gate\": false",
     "\"norm_before_gate\": true", HEED_ENOTSUP,
     "norm_before_gate true is not supported"},
    {"mamba2/native_groups", "\"layer\": \"Mamba2\"", "\"layer\": \"Mamba3\"",
     HEED_ENOTSUP, "layers of type 'Mamba3' are not supported"},
};

/* The model with `was` of its configuration as `is`. */
static heed_status load(heed_ctx *ctx, const struct refusal *r, heed_model **m)
{
    char path[256];
    modeldir_config(r->model, r->was, r->is);
    snprintf(path, sizeof path, "../%s", r->model);
    modeldir_weights(path);
    return heed_model_load(m, ctx, modeldir);
}

static void test_refusals(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_model *m;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct refusal r = refusals[i];
        heed_status st = load(ctx, &r, &m);
        assert_null(m);
        if (st != r.st || !strstr(heed_error(ctx), r.text) ||
            !strstr(heed_error(ctx), modeldir))
            fail_msg("%s, %s: %d '%s', want %d '%s'", r.model, r.is, (int)st,
                     heed_error(ctx), (int)r.st, r.text);
        r.is = r.was; /* and as it was, it loads */
        if (load(ctx, &r, &m) != HEED_OK)
            fail_msg("%s", heed_error(ctx));
        heed_model_free(m);
    }
    heed_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {test(test_refusals)};
    return cmocka_run_group_tests_name(__FILE__, tests, modeldir_setup,
                                       modeldir_teardown) != 0;
}
