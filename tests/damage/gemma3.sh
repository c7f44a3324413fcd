# Gemma 3. C 24, L 3, H 4 of 10 in groups of 2, F 42, V 61, window 7; layer 2 is global.
family=gemma3
W=../m/model.safetensors
at=model.layers.1
fresh
fine 'a sound gemma3' predict -m ../m --ids 1,2,3

# ---- config.json ----
k hidden_size 0 3 "'hidden_size' is 0"
k hidden_size 48 3 'the configuration says (61, 48)'
k hidden_size '"24"' 3 "'hidden_size' is not a number"
k intermediate_size 43 3 'the configuration says (43, 24)'
k num_hidden_layers 2 4 "that 'gemma3' models do not have"
k num_hidden_layers 4 3 'model.layers.3'
k num_hidden_layers 1000000000 3 '1000000000 layers'
k num_attention_heads 0 3 "'num_attention_heads' is 0"
k num_attention_heads 5 3 'do not fit together'
k num_key_value_heads 1 3 'the configuration says (10, 24)'
k num_key_value_heads 1.5 3 'whole number'
k head_dim 9 3 'do not fit together'
k head_dim 12 3 'the configuration says (12)'
k head_dim -8 3 "'head_dim' is -8"
k vocab_size 62 3 'the configuration says (62, 24)'
k rms_norm_eps NaN 3 "'rms_norm_eps' is nan"
k hidden_activation '"nosuchact"' 4 "'nosuchact'"
k query_pre_attn_scalar -1 3 "'query_pre_attn_scalar' is -1"
k query_pre_attn_scalar '"10"' 3 'is not a number'
k sliding_window 0 3 "'sliding_window' is 0"
k sliding_window 2.5 3 'whole number'
k sliding_window null 4 "'sliding_window' is null"
k sliding_window_pattern 0 3 "'sliding_window_pattern' is 0"
k layer_types '["full_attention"]' 3 'types of 1 layers'
k layer_types '["full_attention", 3, "full_attention"]' 4 "'(no string)'"
k layer_types '["sliding_attention", "sliding_attention", "linear_attention"]' 4 "'linear_attention'"
k layer_types 7 3 'no list of types'
k rope_theta 0 3 'rope theta is 0'
k rope_local_base_freq '"1e4"' 3 'is not a number'
k rope_scaling '{"rope_type": "nosuchrope"}' 4 "'nosuchrope'"
k rope_scaling '{"rope_type": "linear"}' 3 'needs factor'
k rope_scaling 8 3 'is not an object'
k rope_parameters '{"rope_type": "default", "rope_theta": 1e6}' 3 "no 'rope_parameters.full_attention'"
k rope_parameters '{"full_attention": {}, "sliding_attention": 3}' 3 "no 'rope_parameters.sliding_attention'"
k final_logit_softcapping NaN 3 "'final_logit_softcapping' is nan"
k attn_logit_softcapping 50 4 "'attn_logit_softcapping'"
k use_bidirectional_attention true 4 "'use_bidirectional_attention'"
k attention_bias true 3 'a bias of q, k, v or o is missing'
k tie_word_embeddings false 3 'the tensor of the head is missing'
k model_type '"gemma2"' 4 "'gemma2'"
k model_type '"gemma3"' 3 'no text_config'

# ---- tensors ----
for tensor in input_layernorm post_attention_layernorm pre_feedforward_layernorm post_feedforward_layernorm \
    self_attn.q_norm self_attn.k_norm self_attn.o_proj mlp.gate_proj; do
    h "no $tensor" 3 "$at.$tensor.weight is missing" "s/$at.$tensor.weight/a.rotary_emb.inv_freq/"
done
h 'two norms exchanged' 3 'has shape (10), the configuration says (24)' \
    "s/$at.input_layernorm.weight/x/;s/$at.self_attn.q_norm.weight/$at.input_layernorm.weight/;s/\"x\"/\"$at.self_attn.q_norm.weight\"/"
h 'a norm of integers' 4 'hold no weights' "s/\($at.self_attn.k_norm.weight\":{[^}]*\)F32/\1I32/"
h 'a picture that nobody reads' 4 'vision.patch' 's/{/{"vision.patch":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},/'

value 'NaN in a norm of queries' $at.self_attn.q_norm.weight 2 "$nan"
value 'infinity in a norm after' $at.post_feedforward_layernorm.weight 3 "$inf"
value 'NaN in the last norm' model.norm.weight 0 "$nan"

# ---- a part of a larger model ----
fresh inside_new
fine 'a sound part of a larger model' predict -m ../m --ids 1,2,3
h2() { # h2 NAME STATUS TEXT SED
    fresh inside_new
    header $W "$4"
    p "$1" "$2" "$3"
}
h2 'a part without a tensor' 3 'model.layers.1.mlp.up_proj.weight is missing' \
    's/model.language_model.layers.1.mlp.up_proj.weight/model.vision_tower.x/'
h2 'another tensor under a name of the part alone' 3 'tensor model.norm.weight has shape (3)' \
    's/model.multi_modal_projector.mm_soft_emb_norm.weight/model.norm.weight/'

# ---- GGUF ----
sample=gemma3/gguf_keys.gguf
fresh_gguf
fine 'a sound gemma3 GGUF file' predict -m $G --ids 1,2,3
number() { # number NAME STATUS TEXT KEY BYTES: what is behind a key
    fresh_gguf
    start=$(find_text $G "$4")
    g "$1" "$2" "$3" $((start + ${#4} + 4)) "$5"
}
number 'sliding_window 0' 3 "'attention.sliding_window' is 0" gemma3.attention.sliding_window '\000'
number 'sliding_window_pattern 0' 3 "'attention.sliding_window_pattern' is 0" gemma3.attention.sliding_window_pattern '\000'
number 'head_count 3' 3 'do not fit together' gemma3.attention.head_count '\003'
number 'key_length 32' 4 'values of another size (16) than keys (32)' gemma3.attention.key_length '\040'
number 'block_count 3' 4 "that 'gemma3' models do not have" gemma3.block_count '\003'
number 'freq_base_swa -512' 3 'rope theta is -512' gemma3.rope.freq_base_swa '\000\000\000\304'
number 'a cap that is NaN' 3 "'final_logit_softcapping' is nan" gemma3.final_logit_softcapping '\000\000\300\177'
for key in block_count embedding_length feed_forward_length attention.head_count attention.sliding_window; do
    fresh_gguf
    start=$(find_text $G "gemma3.$key")
    g "no $key" 3 "no '$key'" $((start + 7)) x
done
sample=llama/gguf_llama3.gguf
