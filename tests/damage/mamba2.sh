# Mamba 2: folders and GGUF files. C 20, L 2, E 40, H 4, N 6, G 2, W 4, V 97.
family=mamba2
W=../m/model.safetensors
mix=backbone.layers.0.mixer
sound=groups2
k2() { # k2 NAME VALUE STATUS TEXT: a key of the model with two groups
    fresh $sound
    key "$1" "$2"
    p "$1 $2" "$3" "$4"
}
h2() { # h2 NAME STATUS TEXT SED: its header
    fresh $sound
    header $W "$4"
    p "$1" "$2" "$3"
}
fresh $sound
fine 'a sound mamba2' predict -m ../m --ids 1,2,3

# ---- config.json ----
k2 num_heads 0 3 "'num_heads' is 0"
k2 num_heads 5 3 '5 heads of 10 columns do not make an inner size of 40'
k2 num_heads 1000000 3 'do not make an inner size of 40'
k2 head_dim 0 3 "'head_dim' is 0"
k2 head_dim '"10"' 3 "'head_dim' is not a number"
k2 expand 1 3 'do not make an inner size of 20'
k2 expand 0 3 'do not make an inner size of 0'
k2 n_groups 3 3 '4 heads are no multiple of 3 groups'
k2 n_groups 0 3 "'n_groups' is 0"
k2 n_groups 4 3 'the configuration says (132, 20)'
k2 n_groups 1.5 3 'whole number'
k2 state_size 7 3 'the configuration says'
k2 state_size 1000000000 3 'the configuration says'
k2 conv_kernel 3 3 'the configuration says'
k2 conv_kernel 0 3 "'conv_kernel' is 0"
k2 num_hidden_layers 1 4 "that 'mamba2' models do not have"
k2 num_hidden_layers 3 3 'backbone.layers.2'
k2 vocab_size 98 3 'the configuration says (98, 20)'
k2 time_step_limit '[0.5, 0.1]' 3 "'time_step_limit' is no pair of numbers, the smaller one first"
k2 time_step_limit '[0.5]' 3 'no pair of numbers'
k2 time_step_limit '[0, "inf"]' 3 'no pair of numbers'
k2 time_step_limit '[NaN, 1]' 3 'no pair of numbers'
k2 time_step_limit 7 3 'no pair of numbers'
k2 use_bias true 3 'use_bias is true'
k2 use_conv_bias false 3 'use_conv_bias false and'
k2 norm_before_gate true 4 'norm_before_gate true'
k2 hidden_act '"nosuchact"' 4 "'nosuchact'"
k2 layer_norm_epsilon -1 3 "'layer_norm_epsilon' is -1"
k2 tie_word_embeddings 1 3 'not true or false'
k2 attn_layer_idx '[1]' 4 'hybrids'
k2 d_intermediate 8 4 'hybrids'
k2 model_type '"mamba"' 3 'the configuration says'
sound=native
native() { # native SSM_CFG STATUS TEXT
    fresh $sound
    echo "{\"d_model\": 20, \"n_layer\": 2, \"vocab_size\": 61, \"pad_vocab_size_multiple\": 16, \"ssm_cfg\": {$1}}" \
        >../m/config.json
    p "ssm_cfg $1" "$2" "$3"
}
two='"layer": "Mamba2", "d_state": 16, "headdim": 8'
native "$two, "'"d_ssm": 24' 4 'd_ssm 24 is not supported: the state space must have the whole inner size, 40'
native "$two, "'"D_has_hdim": true' 4 'D_has_hdim true is not supported'
native "$two, "'"norm_before_gate": true' 4 'norm_before_gate true is not supported'
native "$two, "'"rmsnorm": false' 3 'rmsnorm false, but the tensors say otherwise'
native "$two, "'"rmsnorm": 0' 3 'not true or false'
native '"layer": "Mamba2", "headdim": 7' 3 'do not make an inner size of 40'
native "$two, "'"ngroups": 2' 3 '5 heads are no multiple of 2 groups'
native "$two, "'"activation": "nosuchact"' 4 "'nosuchact'"
native "$two, "'"dt_limit": [1, 0]' 3 'no pair of numbers'
native '"layer": "Mamba1"' 3 'the configuration says'
native '"layer": "Mamba3"' 4 "layers of type 'Mamba3' are not supported"
k2 rms_norm false 4 'rms_norm false is not supported'
k2 attn_layer_idx '[0]' 4 'hybrids'

# ---- tensors ----
sound=groups2
for tensor in A_log D dt_bias in_proj.weight out_proj.weight conv1d.weight; do
    h2 "no $tensor" 3 "$mix.$tensor is missing" "s/$mix.$tensor/__metadata__2/"
done
h2 'a gain of another name' 4 "that 'mamba2' models do not have" "s/$mix.norm.weight/__metadata__2/"
h2 'a projection with a feed-forward part' 3 'the configuration says (108, 20)' 's/\[108,20\]/[216,10]/'
h2 'A_log of two dimensions' 3 'has shape (4, 1)' "s/\($mix.A_log\":{[^}]*\)\[4\]/\1[4,1]/"
h2 'D of every column' 3 'has shape (2, 2)' "s/\($mix.D\":{[^}]*\)\[4\]/\1[2,2]/"
value 'NaN in A_log' $mix.A_log 1 "$nan"
value 'infinity in dt_bias' $mix.dt_bias 0 "$inf"
value 'NaN in the filter' $mix.conv1d.weight 2 "$nan"
value 'NaN in in_proj' $mix.in_proj.weight 9 "$nan"

# ---- GGUF: C 32, E 64, H 8, G 4, N 5 ----
sample=mamba2/gguf_groups.gguf
fresh_gguf
fine 'a sound GGUF mamba2' predict -m $G --ids 1,2,3
u32 mamba2.ssm.inner_size '\000' 3 'inner_size'
u32 mamba2.ssm.inner_size '\077' 3 'do not make an inner size of 63'
u32 mamba2.ssm.time_step_rank '\000' 3 'time_step_rank'
u32 mamba2.ssm.time_step_rank '\007' 3 'do not make an inner size of 64'
u32 mamba2.ssm.time_step_rank '\004' 3 'ssm'
u32 mamba2.ssm.group_count '\003' 3 '8 heads are no multiple of 3 groups'
u32 mamba2.ssm.group_count '\002' 3 'ssm'
u32 mamba2.ssm.state_size '\006' 3 'ssm'
fresh_gguf
poke $G "$(find_text $G blk.0.ssm_norm)" x
gp 'a norm of another name' 4 'lk.0.ssm_norm'
