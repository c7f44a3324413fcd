# Mamba: folders and GGUF files. C 20, L 2, E 40, N 16, W 4, R 2, V 61.
family=mamba
W=../m/model.safetensors
mix=backbone.layers.0.mixer
fresh
fine 'a sound mamba' predict -m ../m --ids 1,2,3

# ---- config.json ----
k hidden_size 0 3 "'hidden_size' is 0"
k hidden_size -20 3 "'hidden_size' is -20"
k hidden_size '"20"' 3 "'hidden_size' is not a number"
k hidden_size 24 3 'the configuration says'
k hidden_size 1000000000 3 'the configuration says'
k hidden_size null 3 "no 'hidden_size'"
k num_hidden_layers 0 3 "'num_hidden_layers' is 0"
k num_hidden_layers -1 3 "'num_hidden_layers' is -1"
k num_hidden_layers 1 4 "that 'mamba' models do not have"
k num_hidden_layers 3 3 'backbone.layers.2'
k num_hidden_layers 1000000000 3 '1000000000 layers'
k vocab_size 62 3 '(61, 20), the configuration says (62, 20)'
k vocab_size -1 3 "'vocab_size' is -1"
k vocab_size 1e308 3 "'vocab_size' is 1e+308"
k state_size 0 3 "'state_size' is 0"
k state_size -16 3 "'state_size' is -16"
k state_size 8 3 'the configuration says'
k state_size 1000000000 3 'the configuration says'
k conv_kernel 0 3 "'conv_kernel' is 0"
k conv_kernel -4 3 "'conv_kernel' is -4"
k conv_kernel 3 3 'the configuration says'
k conv_kernel 4.5 3 'whole number'
k conv_kernel 1000000000 3 'the configuration says'
k time_step_rank 0 3 "'time_step_rank' is 0"
k time_step_rank -2 3 "'time_step_rank' is -2"
k time_step_rank 3 3 'the configuration says'
k time_step_rank 100000000 3 "'time_step_rank' is 1e+08"
k time_step_rank '"automatic"' 3 "'time_step_rank' is not a number"
k time_step_rank 1.5 3 'whole number'
k expand 0 3 'the inner size is 0'
k expand -2 3 "'expand' is -2"
k expand 3 3 'the configuration says'
k expand 1e308 3 "'expand' is 1e+308"
k expand '[2]' 3 "'expand' is not a number"
k use_bias true 3 'use_bias is true'
k use_conv_bias false 3 'use_conv_bias false, but'
k use_bias 1 3 'not true or false'
k tie_word_embeddings false 3 'the tensor of the head is missing'
k layer_norm_epsilon -1 3 "'layer_norm_epsilon' is -1"
k layer_norm_epsilon NaN 3 "'layer_norm_epsilon' is nan"
k hidden_act '"nosuchact"' 4 "'nosuchact'"
k hidden_act 3 3 "'hidden_act' is not a string"
k pad_vocab_size_multiple 0 3 "'pad_vocab_size_multiple' is 0"
k pad_vocab_size_multiple 8 3 'the configuration says (64, 20)'
k d_intermediate 64 4 'hybrids'
k attn_layer_idx '[1]' 4 'hybrids'
k rms_norm false 4 'rms_norm false'
k ssm_cfg '{"layer": "Mamba2"}' 4 "'Mamba2'"
k ssm_cfg '{"d_state": 0}' 3 "'ssm_cfg.d_state' is 0"
k ssm_cfg '{"dt_rank": "all"}' 3 "'ssm_cfg.dt_rank' is not a number"
k ssm_cfg 7 3 "'ssm_cfg' is no object"
k model_type '"mamba3"' 4 "'mamba3'"
k model_type '"llama"' 3 "no 'intermediate_size'"
fresh bias_no_conv_bias
key use_conv_bias true
p 'a filter without its bias' 3 'use_conv_bias true'
fresh native
key ssm_cfg null
p 'a native file without ssm_cfg' 3 'no model_type'
fresh native
key d_model '"20"'
p 'a native file with a width that is text' 3 'no model_type'

# ---- tensors ----
for tensor in A_log D x_proj.weight dt_proj.weight dt_proj.bias in_proj.weight out_proj.weight; do
    h "no $tensor" 3 "$mix.$tensor is missing" "s/$mix.$tensor/__metadata__2/"
done
# Of these there are two names, so that only the wrong one can be told.
h 'a filter of another name' 4 'conv2d.weight' "s/$mix.conv1d.weight/$mix.conv2d.weight/"
h 'a bias of another name' 4 'conv2d.bias' "s/$mix.conv1d.bias/$mix.conv2d.bias/"
h 'an embedding of another name' 4 'embed.weight' 's/backbone.embeddings.weight/backbone.embed.weight/'
h 'no last norm' 3 'backbone.norm_f.weight is missing' 's/backbone.norm_f.weight/__metadata__2/'
h 'two embeddings' 3 'embedding' "s/$mix.D\"/backbone.embedding.weight\"/"
h 'A_log with swapped dimensions' 3 'has shape (16, 40)' 's/\[40,16\]/[16,40]/'
h 'A_log of one dimension' 3 'has shape (640)' 's/\[40,16\]/[640]/'
h 'a filter of two dimensions' 3 'has shape (40, 4)' 's/\[40,1,4\]/[40,4]/'
h 'a filter with swapped dimensions' 3 'has shape (4, 1, 40)' 's/\[40,1,4\]/[4,1,40]/'
h 'a filter over channels' 3 'has shape (1, 40, 4)' 's/\[40,1,4\]/[1,40,4]/'
h 'x_proj with swapped dimensions' 3 'has shape (40, 34)' 's/\[34,40\]/[40,34]/'
h 'dt_proj with swapped dimensions' 3 'has shape (2, 40)' 's/\[40,2\]/[2,40]/'
h 'in_proj with swapped dimensions' 3 'has shape (20, 80)' 's/\[80,20\]/[20,80]/'
h 'D as a matrix' 3 'has shape (40, 1)' "s/\($mix.D\":{[^}]*\)\[40\]/\1[40,1]/"
h 'A_log of integers' 4 'hold no weights' "s/\($mix.A_log\":{[^}]*\)F32/\1I32/"
h 'a filter of half the size' 3 'its shape needs' "s/\($mix.conv1d.weight\":{[^}]*\)F32/\1F16/"
h 'a tensor of mamba2' 4 'dt_bias' "s/{/{\"$mix.dt_bias\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},/"
for bytes in 9 2000 3000 45343; do
    fresh
    truncate -s $bytes $W
    p "safetensors of $bytes bytes" 3 'model.safetensors'
done

value 'NaN in A_log' $mix.A_log 5 "$nan"
value 'infinity in A_log' $mix.A_log 5 '\000\000\200\177'
value 'NaN in D' $mix.D 3 "$nan"
value 'NaN in the filter' $mix.conv1d.weight 2 "$nan"
value 'infinity in the bias of dt' $mix.dt_proj.bias 0 "$inf"
value 'NaN in x_proj' $mix.x_proj.weight 7 "$nan"
value 'NaN in in_proj' $mix.in_proj.weight 9 "$nan"
value 'infinity in the last norm' backbone.norm_f.weight 0 "$inf"

# ---- shards ----
fresh sharded_bare
fine 'sound shards of mamba' predict -m ../m --ids 1,2,3
rm ../m/model-00003-of-00003.safetensors
p 'a shard of mamba is missing' 3 'model-00003-of-00003.safetensors'
fresh sharded_bare
truncate -s 11000 ../m/model-00002-of-00003.safetensors
p 'a shard of mamba is cut' 3 'model-00002-of-00003.safetensors'
fresh sharded_bare
sed '/A_log/d' ../m/model.safetensors.index.json >../k && mv ../k ../m/model.safetensors.index.json
fine 'an index that does not name all' predict -m ../m --ids 1,2,3

# ---- GGUF: C 32, L 2, E 64, N 8, W 4, R 2 ----
sample=mamba/gguf_tied.gguf
fresh_gguf
fine 'a sound GGUF mamba' predict -m $G --ids 1,2,3
for bytes in 30 300 1500 2500 20000 41087; do
    fresh_gguf
    truncate -s $bytes $G
    gp "GGUF mamba of $bytes bytes" 3 'm.gguf'
done
u32() { # u32 KEY BYTES STATUS TEXT: another value of a key
    fresh_gguf
    poke $G $(($(find_text $G "$1") + ${#1} + 4)) "$2"
    gp "$1 $2" "$3" "$4"
}
u32 mamba.block_count '\000' 3 'block_count'
u32 mamba.block_count '\003' 3 'is missing'
u32 mamba.block_count '\001' 4 'blk.1'
u32 mamba.embedding_length '\000' 3 'embedding_length'
u32 mamba.embedding_length '\000\000\000\200' 3 'm.gguf'
u32 mamba.ssm.conv_kernel '\000' 3 'conv_kernel'
u32 mamba.ssm.conv_kernel '\003' 3 'ssm_conv1d.weight'
u32 mamba.ssm.conv_kernel '\377\377\377\377' 3 'conv_kernel'
u32 mamba.ssm.inner_size '\000' 3 'the inner size is 0'
u32 mamba.ssm.inner_size '\077' 3 'ssm'
u32 mamba.ssm.state_size '\000' 3 'state_size'
u32 mamba.ssm.state_size '\020' 3 'ssm'
u32 mamba.ssm.time_step_rank '\000' 3 'time_step_rank'
u32 mamba.ssm.time_step_rank '\003' 3 'ssm'
u32 mamba.ssm.time_step_rank '\377\377\377\377' 3 'time_step_rank'
u32 mamba.vocab_size '\076' 3 'token_embd.weight'
fresh_gguf
poke $G $(($(find_text $G mamba.ssm.dt_b_c_rms) + 20)) '\000'
gp 'mamba.ssm.dt_b_c_rms of another type' 3 "'mamba.ssm.dt_b_c_rms' is not true or false"
fresh_gguf
poke $G "$(find_text $G blk.0.ssm_a)" x
gp 'no ssm_a' 3 'blk.0.ssm_a is missing'
fresh_gguf
at=$(find_text $G blk.0.ssm_a)
poke $G $((at + 15)) '\100\000\000\000\000\000\000\000\010'
gp 'ssm_a with swapped dimensions' 3 'blk.0.ssm_a'
fresh_gguf
poke $G $((at + 31)) '\002'
gp 'ssm_a in blocks' 3 'blk.0.ssm_a'
