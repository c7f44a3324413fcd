# RWKV-6: folders, GGUF files and the vocabulary. C 24, L 2, H 3, D 8, F 64, M 4,
# R 6, V 61.
family=rwkv6
W=../m/model.safetensors
att=rwkv.blocks.0.attention
fresh
fine 'a sound rwkv6' predict -m ../m --ids 1,2,3

# ---- config.json ----
k hidden_size 0 3 "'hidden_size' is 0"
k hidden_size -24 3 "'hidden_size' is -24"
k hidden_size '"24"' 3 "'hidden_size' is not a number"
k hidden_size 32 3 'the configuration says'
k hidden_size 1000000000 3 'the configuration says'
k hidden_size 8 3 'has no width'
k num_hidden_layers 1 4 "that 'rwkv6' models do not have"
k num_hidden_layers 3 3 'rwkv.blocks.2'
k num_hidden_layers 1000000000 3 '1000000000 layers'
k vocab_size 62 3 'the configuration says (62, 24)'
k head_size 0 3 "'head_size' is 0"
k head_size 5 3 'width 24 is no multiple of the head size 5'
k head_size 12 3 'the configuration says (2, 12)'
k head_size 8.5 3 'whole number'
k attention_hidden_size 16 3 'the configuration says'
k attention_hidden_size -8 3 "'attention_hidden_size' is -8"
k head_size_divisor 0 3 "'head_size_divisor' is 0"
k head_size_divisor '"8"' 3 "'head_size_divisor' is not a number"
k layer_norm_epsilon -1 3 "'layer_norm_epsilon' is -1"
k layer_norm_epsilon NaN 3 "'layer_norm_epsilon' is nan"
k tie_word_embeddings 3 3 'not true or false'
k model_type '"rwkv7"' 4 "'rwkv7'"
fresh tied
key tie_word_embeddings false
p 'an untied head that is not there' 3 'the tensor of the head is missing'

# ---- tensors ----
for tensor in time_maa_x time_maa_w time_maa_w1 time_maa_w2 time_decay time_decay_w1 time_decay_w2 time_faaaa \
    ln_x.weight ln_x.bias gate.weight output.weight; do
    h "no $tensor" 3 "$att.$tensor is missing" "s/$att.$tensor\"/__metadata__2\"/"
done
h 'no pre_ln' 3 'pre_ln.weight is missing' 's/rwkv.blocks.0.pre_ln.weight/__metadata__2/'
h 'time_maa_x of one dimension' 3 'has shape (24)' "s/\($att.time_maa_x\":{[^}]*\)\[1,1,24\]/\1[24]/"
h 'time_maa_w1 with swapped dimensions' 3 'has shape (20, 24)' "s/\($att.time_maa_w1\":{[^}]*\)\[24,20\]/\1[20,24]/"
h 'time_maa_w2 with swapped dimensions' 3 'has shape (5, 24, 4)' "s/\($att.time_maa_w2\":{[^}]*\)\[5,4,24\]/\1[5,24,4]/"
h 'time_decay_w1 with swapped dimensions' 3 'has shape (6, 24)' "s/\($att.time_decay_w1\":{[^}]*\)\[24,6\]/\1[6,24]/"
h 'time_decay_w2 with swapped dimensions' 3 'has shape (24, 6)' "s/\($att.time_decay_w2\":{[^}]*\)\[6,24\]/\1[24,6]/"
h 'time_faaaa with swapped dimensions' 3 'has shape (8, 3)' "s/\($att.time_faaaa\":{[^}]*\)\[3,8\]/\1[8,3]/"
h 'ranks of another layer' 3 'rwkv.blocks.1' 's/\(rwkv.blocks.1.attention.time_maa_w1":{[^}]*\)\[24,20\]/\1[24,25]/;s/:[0-9]*,"__metadata__"/&/'
h 'time_decay of integers' 4 'hold no weights' "s/\($att.time_decay\":{[^}]*\)F32/\1I32/"
h 'a tensor of rwkv7' 4 'att.v0' 's/{/{"rwkv.blocks.0.att.v0":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},/'
value 'NaN in time_maa_w' $att.time_maa_w 3 "$nan"
value 'NaN in time_decay' $att.time_decay 0 "$nan"
value 'infinity in time_faaaa' $att.time_faaaa 5 "$inf"
value 'NaN in time_maa_w1' $att.time_maa_w1 7 "$nan"
value 'NaN in ln_x' $att.ln_x.weight 2 "$nan"

# ---- GGUF: C 32, L 3, D 8, F 96, M 4, R 6 ----
sample=rwkv6/gguf.gguf
fresh_gguf
fine 'a sound GGUF rwkv6' predict -m $G --ids 1,2,3
u32 rwkv6.block_count '\002' 4 'blk.2'
u32 rwkv6.block_count '\004' 3 'is missing'
u32 rwkv6.embedding_length '\000' 3 'embedding_length'
u32 rwkv6.wkv.head_size '\000' 3 'head_size'
u32 rwkv6.wkv.head_size '\005' 3 'no multiple of the head size 5'
u32 rwkv6.wkv.head_size '\020' 3 'time_mix_first.weight'
u32 rwkv6.feed_forward_length '\000' 3 'has no width'
u32 rwkv6.feed_forward_length '\100' 3 'channel_mix_key.weight'
u32 rwkv6.rescale_every_n_layers '\377\377\377\377' 3 'rescale_every_n_layers'
fresh_gguf
poke $G "$(find_text $G blk.1.time_mix_lerp_fused)" x
gp 'lerps of another name' 4 'xlk.1.time_mix_lerp_fused.weight'
sample=rwkv6/gguf_apart.gguf
fresh_gguf
at=$(find_text $G blk.1.time_mix_lerp_v)
poke $G $((at + 20)) k
gp 'two lerps of one name' 3 'blk.1.time_mix_lerp_k.weight'

# ---- the vocabulary ----
world=$golden/tokenizers/world/rwkv_vocab_v20230424.txt
T=../m/rwkv_vocab_v20230424.txt
t() { # t NAME STATUS TEXT SED
    fresh
    sed "$4" "$world" >$T
    try "$1" "$2" "$3" predict -m ../m -p ' '
}
fresh
cp "$world" $T
fine 'a sound vocabulary' predict -m ../m -p ' '
t 'a vocabulary with a gap' 3 'line 300: the id is 301, must be 300' 300d
t 'an id twice' 3 'line 2: the id is 1, must be 2' '2s/^2/1/'
t 'a literal that is code' 3 'is no literal in quotes' "34s/'!'/exit()/"
t 'a wrong length' 3 'line 34: the literal has 1 bytes, not 2' '34s/1$/2/'
t 'an empty vocabulary' 3 '0 lines' d
t 'a token twice' 3 'tokens 34 and 35 are the same bytes' "35s/'\"'/'!'/"
