# RecurrentGemma. C 24, L 3, H 3 of 8, F 23, E 24, W 4, V 61; layer 2 has attention.
family=recurrent_gemma
W=../m/model.safetensors
mix=model.layers.0.temporal_block
fresh
fine 'a sound recurrent_gemma' predict -m ../m --ids 1,2,3

# ---- config.json ----
k hidden_size 0 3 "'hidden_size' is 0"
k hidden_size 48 3 'the configuration says (61, 48)'
k hidden_size '"24"' 3 "'hidden_size' is not a number"
k intermediate_size 47 3 "'intermediate_size' is 47, must be even"
k intermediate_size 92 3 'the configuration says (46, 24)'
k intermediate_size 1e18 3 "'intermediate_size' is 1e+18"
k num_hidden_layers 2 4 "that 'recurrent_gemma' models do not have"
k num_hidden_layers 4 3 'model.layers.3'
k num_hidden_layers 1000000000 3 '1000000000 layers'
k num_attention_heads 0 3 "'num_attention_heads' is 0"
k num_attention_heads 5 3 '5 heads of 0'
k num_attention_heads 1000000000 3 'do not fit together'
k num_key_value_heads 2 3 '2 key/value heads do not fit together'
k num_key_value_heads 1 3 'the configuration says (8, 24)'
k num_key_value_heads 1.5 3 'whole number'
k head_dim 16 3 'the configuration says (48, 24)'
k head_dim -8 3 "'head_dim' is -8"
k lru_width 25 3 'lru_width 25'
k lru_width 27 3 'the configuration says (27, 24)'
k conv1d_width 0 3 "'conv1d_width' is 0"
k conv1d_width 3 3 'the configuration says (24, 1, 3)'
k vocab_size 62 3 'the configuration says (62, 24)'
k rms_norm_eps NaN 3 "'rms_norm_eps' is nan"
k hidden_activation '"nosuchact"' 4 "'nosuchact'"
k partial_rotary_factor 0 4 'turns 0 of the 8 dimensions'
k partial_rotary_factor 2 3 "'partial_rotary_factor' is 2"
k partial_rotary_factor '"half"' 3 'is not a number'
k rope_theta 0 3 'rope theta is 0'
k rope_scaling '{"rope_type": "yarn", "factor": 4}' 4 'have no scaling'
k logits_soft_cap -30 3 "'logits_soft_cap' is -30"
k logits_soft_cap NaN 3 "'logits_soft_cap' is nan"
k logits_soft_cap '"30"' 3 "'logits_soft_cap' is not a number"
k attention_window_size 0 3 "'attention_window_size' is 0"
k attention_window_size 2.5 3 'whole number'
k attention_bias true 3 'q_proj.bias is missing'
k block_types '["recurrent"]' 3 'layer 2 is recurrent, but tensor model.layers.2.temporal_block.q_proj.weight is there'
k block_types '["attention"]' 3 'layer 0 is attention'
k block_types '["recurrent", "recurrent", 3]' 4 "'(no string)'"
k block_types '["ssm"]' 4 "'ssm'"
k block_types '[]' 3 'no list of types'
k block_types 7 3 'no list of types'
k _block_types '{}' 3 'no list of types'
k tie_word_embeddings false 3 'the tensor of the head is missing'
k model_type '"gemma9"' 4 "'gemma9'"

# ---- tensors ----
# Optional for the table, as layers differ: under a name that is ignored they are gone.
for tensor in rg_lru.recurrent_param rg_lru.input_gate_weight rg_lru.recurrent_gate_bias conv_1d.weight \
    linear_x.bias linear_y.weight linear_out.weight; do
    h "no $tensor" 3 "$mix.$tensor is missing" "s/$mix.$tensor/a.rotary_emb.inv_freq/"
done
h 'no norm' 3 'temporal_pre_norm.weight is missing' 's/model.layers.1.temporal_pre_norm.weight/__metadata__2/'
h 'no bias of o_proj' 3 'o_proj.bias is missing' 's/model.layers.2.temporal_block.o_proj.bias/a.rotary_emb.inv_freq/'
h 'gates as one matrix' 3 'has shape (24, 8), the configuration says (3, 8, 8)' \
    "s/\($mix.rg_lru.input_gate_weight\":{[^}]*\)\[3,8,8\]/\1[24,8]/"
h 'a bias of gates in one row' 3 'has shape (24), the configuration says (3, 8)' \
    "s/\($mix.rg_lru.input_gate_bias\":{[^}]*\)\[3,8\]/\1[24]/"
h 'a filter of two dimensions' 3 'has shape (24, 4)' 's/\[24,1,4\]/[24,4]/'
h 'recurrent_param of integers' 4 'hold no weights' "s/\($mix.rg_lru.recurrent_param\":{[^}]*\)F32/\1I32/"
h 'a tensor of mamba' 4 'A_log' "s/{/{\"$mix.A_log\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},/"

value 'NaN in recurrent_param' $mix.rg_lru.recurrent_param 5 "$nan"
value 'infinity in recurrent_param' $mix.rg_lru.recurrent_param 5 "$inf"
value 'NaN in a gate' $mix.rg_lru.input_gate_weight 9 "$nan"
value 'NaN in the bias of a gate' $mix.rg_lru.recurrent_gate_bias 3 "$nan"
value 'infinity in the filter' $mix.conv_1d.weight 2 "$inf"
value 'NaN in the last norm' model.final_norm.weight 0 "$nan"
