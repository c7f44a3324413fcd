# GPT-2: folders and GGUF files. C 20, L 2, H 4, F 80, V 61, X 1024.
family=gpt2
W=../m/model.safetensors
fresh
fine 'a sound gpt2' predict -m ../m --ids 1,2,3

# ---- config.json ----
k n_embd 0 3 "'n_embd' is 0"
k n_embd -20 3 "'n_embd' is -20"
k n_embd 24 3 'the configuration says'
k n_embd '"20"' 3 "'n_embd' is not a number"
k n_embd 1000000000 3 'the configuration says'
k n_layer 0 3 "'n_layer' is 0"
k n_layer -2 3 "'n_layer' is -2"
k n_layer 1 4 "that 'gpt2' models do not have"
k n_layer 3 3 'is missing'
k n_layer 1000000000 3 '1000000000 layers'
k n_head 0 3 "'n_head' is 0"
k n_head 3 3 'no multiple of 3 heads'
k n_head -4 3 "'n_head' is -4"
k n_head 1000000000 3 'no multiple'
k n_head 2.5 3 'whole number'
k n_inner 79 3 'the configuration says'
k n_inner -1 3 "'n_inner' is -1"
k n_inner 1e18 3 "'n_inner' is 1e+18"
k n_positions 0 3 "'n_positions' is 0"
k n_positions 1023 3 '(1024, 20), the configuration says (1023, 20)'
k n_positions 2048 3 'the configuration says (2048, 20)'
k n_positions '"1024"' 3 "'n_positions' is not a number"
k vocab_size 62 3 'the configuration says (62, 20)'
k vocab_size -61 3 "'vocab_size' is -61"
k layer_norm_epsilon 2 3 "'layer_norm_epsilon' is 2"
k layer_norm_epsilon Infinity 3 "'layer_norm_epsilon' is inf"
k activation_function '"nosuchact"' 4 "'nosuchact'"
k activation_function 3 3 "'activation_function' is not a string"
k scale_attn_weights 1 3 'not true or false'
k scale_attn_by_inverse_layer_idx '"yes"' 3 'not true or false'
k add_cross_attention true 4 'cross-attention'
k tie_word_embeddings false 3 'the tensor of the head is missing'
k model_type '"gpt3"' 4 "'gpt3'"
k model_type '"mamba"' 3 "'hidden_size'"

# ---- tensors ----
for tensor in attn.c_attn.bias attn.c_proj.weight attn.c_proj.bias ln_1.weight ln_1.bias \
    ln_2.bias mlp.c_fc.bias mlp.c_proj.bias; do
    h "no $tensor" 3 "h.1.$tensor is missing" "s/\"h.1.$tensor/\"__metadata__2/"
done
for tensor in attn.c_attn mlp.c_fc mlp.c_proj; do
    h "no $tensor.weight" 4 "h.1.$tensor.kernel" "s/\"h.1.$tensor.weight/\"h.1.$tensor.kernel/"
done
h 'no wpe' 3 'wpe.weight is missing' 's/wpe.weight/__metadata__2/'
h 'no wte' 3 'wte.weight is missing' 's/wte.weight/__metadata__2/'
h 'no ln_f.bias' 3 'ln_f.bias is missing' 's/ln_f.bias/__metadata__2/'
h 'c_attn as (out, in)' 3 'has shape (60, 20)' 's/\[20,60\]/[60,20]/'
h 'c_fc as (out, in)' 3 'has shape (80, 20)' 's/\[20,80\]/[80,20]/'
h 'wpe with swapped dimensions' 3 'has shape (20, 1024)' 's/\[1024,20\]/[20,1024]/'
h 'a bias as a matrix' 3 'has shape (1, 60)' 's/\[60\]/[1,60]/'
h 'c_attn of integers' 4 'hold no weights' 's/\(h.0.attn.c_attn.weight":{[^}]*\)F32/\1I32/'
h 'c_attn of half the size' 3 'its shape needs' 's/\(h.0.attn.c_attn.weight":{[^}]*\)F32/\1BF16/'
h 'a tensor of cross-attention' 4 'crossattention' \
    's/{/{"h.0.crossattention.q_attn.weight":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},/'
for bytes in 9 2000 3000 129727; do
    fresh
    truncate -s $bytes $W
    p "safetensors of $bytes bytes" 3 'model.safetensors'
done

value 'NaN in wpe' wpe.weight 22 "$nan"
value 'NaN in c_attn' h.0.attn.c_attn.weight 30 "$nan"
value 'infinity in a bias' h.1.mlp.c_fc.bias 4 "$inf"
value 'NaN in the bias of the last norm' ln_f.bias 3 "$nan"
value 'infinity in ln_1' h.0.ln_1.weight 0 "$inf"
fresh
poke $W $(($(place $W wpe.weight) + 4 * 20 * 9)) "$nan"
fine 'NaN in a position that is not used' predict -m ../m --ids 1,2,3

# ---- more tokens than positions ----
fresh odd_vocab_limit
limit=$(sed -n 's/.*"n_positions": *\([0-9]*\).*/\1/p' ../m/config.json)
long=$(awk -v n=$((limit + 1)) 'BEGIN { for (i = 0; i < n; i++) printf "%s%d", i ? "," : "", i % 40 }')
try 'more tokens than positions' 2 "$limit" predict -m ../m --ids "$long"
try 'more tokens than positions, explained' 2 "$limit" attribute -m ../m --ids "$long" -o a.json
try 'a context beyond the positions' 2 "$limit" predict -m ../m --ids "$long" -c $((limit + 1))
try 'a continuation beyond the positions' 2 "$limit" generate -m ../m --ids 1,2,3 -n "$limit"

# ---- shards ----
fresh aliases_sharded
fine 'sound shards of gpt2' predict -m ../m --ids 1,2,3
rm ../m/model-00001-of-00003.safetensors
p 'a shard of gpt2 is missing' 3 'model-00001-of-00003.safetensors'
fresh aliases_sharded
truncate -s 2700 ../m/model-00003-of-00003.safetensors
p 'a shard of gpt2 is cut' 3 'model-00003-of-00003.safetensors'
fresh aliases_sharded
sed 's/model-00002/model-00001/' ../m/model.safetensors.index.json >../k && mv ../k ../m/model.safetensors.index.json
p 'an index that names another shard' 3 'index'

# ---- GGUF: C 32, L 2, H 4, F 128, X 64 ----
sample=gpt2/gguf_tied.gguf
fresh_gguf
fine 'a sound GGUF gpt2' predict -m $G --ids 1,2,3
for bytes in 30 300 1500 2200 20000 46975; do
    fresh_gguf
    truncate -s $bytes $G
    gp "GGUF gpt2 of $bytes bytes" 3 'm.gguf'
done
u32 gpt2.block_count '\000' 3 'block_count'
u32 gpt2.block_count '\003' 3 'is missing'
u32 gpt2.embedding_length '\000' 3 'embedding_length'
u32 gpt2.embedding_length '\041' 3 'no multiple'
u32 gpt2.attention.head_count '\000' 3 'head_count'
u32 gpt2.attention.head_count '\003' 3 'no multiple of 3 heads'
u32 gpt2.feed_forward_length '\177' 3 'ffn'
u32 gpt2.feed_forward_length '\000\000\000\200' 3 'm.gguf'
u32 gpt2.context_length '\000' 3 'context_length'
u32 gpt2.context_length '\101' 3 'position_embd.weight'
u32 gpt2.vocab_size '\076' 3 'token_embd.weight'
u32 gpt2.attention.layer_norm_epsilon '\000\000\300\177' 3 'layer_norm_epsilon'
for tensor in position_embd.weight blk.0.attn_output.weight blk.1.ffn_up.bias output_norm.bias; do
    fresh_gguf
    poke $G "$(find_text $G $tensor)" x
    gp "no $tensor" 3 "$tensor is missing"
done
fresh_gguf
poke $G "$(find_text $G blk.0.attn_qkv.weight)" x
gp 'attn_qkv of another name' 4 'xlk.0.attn_qkv.weight'
fresh_gguf
at=$(find_text $G blk.0.attn_qkv.weight)
poke $G $((at + 25)) '\140\000\000\000\000\000\000\000\040'
gp 'attn_qkv with swapped dimensions' 3 'blk.0.attn_qkv.weight'
