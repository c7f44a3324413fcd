# model.safetensors, its shards, and values that are not finite.
W=../m/model.safetensors
q=model.layers.0.self_attn.q_proj.weight
nan='\000\000\300\177'
inf='\000\000\200\377'

for bytes in 0 7 8 100 1600 20000 56911; do
    fresh
    truncate -s $bytes $W
    p "safetensors of $bytes bytes" 3 'model.safetensors'
done
fresh
echo x >>$W
p 'bytes after the last tensor' 3 'belong to no tensor'
for length in '\377\377\377\377\377\377\377\377' '\000\000\000\000\000\000\000\200' \
    '\000\000\000\000\000\000\000\000' '\377\377\377\177\000\000\000\000'; do
    fresh
    poke $W 0 "$length"
    p "length of the header $length" 3 'model.safetensors'
done
fresh
poke $W 8 '['
p 'header that does not parse' 3 'line 1'
fresh
poke $W 20 '\377\376'
p 'header that is no UTF-8' 3 'line 1'

h() { # h NAME STATUS TEXT SED
    fresh
    header $W "$4"
    p "$1" "$2" "$3"
}
h 'a tensor is missing' 3 "tensor $q is missing" "s/$q/__metadata__2/"
h 'a tensor too many' 4 'blk.weird' 's/{/{"blk.weird":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},/'
h 'a shape that does not fit' 3 'has shape (24, 61)' 's/\[61,24\]/[24,61]/'
h 'a shape of one dimension' 3 'has shape (1464)' 's/\[61,24\]/[1464]/'
h 'a shape of another size' 3 'its shape needs' 's/\[61,24\]/[61,25]/'
h 'a shape with 0' 3 'its shape needs' 's/\[61,24\]/[0,24]/'
h 'a shape with -1' 3 'not a count' 's/\[61,24\]/[61,-24]/'
h 'a shape of 2^63' 3 'line 1' 's/\[61,24\]/[9223372036854775808,24]/'
h 'a shape of 2^62 x 24' 3 '64 bits' 's/\[61,24\]/[4611686018427387904,24]/'
h 'a shape with a fraction' 3 'not a count' 's/\[61,24\]/[61.5,24]/'
h 'a shape that is text' 3 'no shape' 's/\[61,24\]/"61,24"/'
h 'six dimensions' 4 '6 dimensions' 's/\[61,24\]/[61,24,1,1,1,1]/'
h 'no dtype' 3 'no dtype' 's/"dtype":"F32",//'
h 'an unknown dtype' 4 'F99' 's/F32/F99/'
h 'a dtype without a decoder' 4 'F8_E5M2' 's/"F32"/"F8_E5M2"/'
h 'a dtype of integers' 4 'hold no weights' 's/"F32"/"I32"/'
h 'a dtype of half the size' 3 'its shape needs' 's/"F32"/"F16"/'
h 'a dtype with an escape sequence' 4 '?[31m' 's/"F32"/"\\u001b[31m"/'
h 'a dtype with a C1 control' 4 '??31m' 's/"F32"/"\\u009b31m"/'
h 'a name with a newline' 3 'byte 10' "s/$q/a\\\\nb/"
h 'a name with a NUL' 3 'NUL' "s/$q/a\\\\u0000b/"
h 'the same name twice' 3 'duplicate' "s/model.layers.0.self_attn.k_proj.weight/$q/"
h 'overlapping offsets' 3 'overlap' 's/\[5856,8160\]/[5852,8156]/'
h 'offsets with a hole' 3 'belong to none' 's/\[5856,8160\]/[5860,8164]/;s/\[8160,10464\]/[8164,10468]/;s/\[10464,12768\]/[10468,12772]/'
h 'offsets the wrong way round' 3 'at bytes' 's/\[5856,8160\]/[8160,5856]/'
h 'offsets beyond the file' 3 'at bytes' 's/\[5856,8160\]/[9223372036854770000,9223372036854772304]/'
h 'offsets of 2^63' 3 'line 1' 's/\[5856,8160\]/[9223372036854775808,9223372036854775809]/'
h 'offsets below 0' 3 'at bytes' 's/\[5856,8160\]/[-8,2296]/'
h 'offsets that are three' 3 'two integers' 's/\[5856,8160\]/[5856,8160,0]/'
h 'a tensor that is a number' 3 'no object' "s/\"$q\":{[^}]*}/\"$q\":1/"

value() { # value NAME TENSOR INDEX BYTES TEXT
    fresh
    poke $W $(($(place $W "$2") + 4 * $3)) "$4"
    p "$1" 6 "tensor $2"
    try "$1, explained" 6 "tensor $2" attribute -m ../m --ids 1,2,3 -o a.json
}
value 'NaN in a norm' model.layers.1.input_layernorm.weight 3 "$nan"
value 'infinity in the last norm' model.norm.weight 0 "$inf"
value 'NaN in a matrix' $q 30 "$nan"
value 'infinity in a matrix' model.layers.1.mlp.down_proj.weight 0 "$inf"
value 'NaN in the embedding of a used token' model.embed_tokens.weight 50 "$nan"
value 'NaN in the head' lm_head.weight 1000 "$nan"
value 'infinity in the head' lm_head.weight 1000 "$inf"
fresh
poke $W $(($(place $W model.embed_tokens.weight) + 4 * 24 * 9)) "$nan"
fine 'NaN in the embedding of another token' predict -m ../m --ids 1,2,3
fresh
i=0
while [ $i -lt 24 ]; do
    poke $W $(($(place $W model.norm.weight) + 4 * i)) '\377\377\177\177'
    i=$((i + 1))
done
# (not in the double variant, where they do not)
"$heed" inspect -m ../m --no-hash | grep -q 'dtype_compute.f64' ||
    p 'weights so large that sums overflow' 6 'not finite'

# ---- shards ----
X=../m/model.safetensors.index.json
fresh bias_sharded
fine 'sound shards' predict -m ../m --ids 1,2,3
rm ../m/model-00002-of-00003.safetensors
p 'a shard is missing' 3 'model-00002-of-00003.safetensors'
x() { # x NAME STATUS TEXT SED
    fresh bias_sharded
    sed "$4" $X >../k && mv ../k $X
    p "$1" "$2" "$3"
}
x 'a shard of another folder' 3 'not the plain name' 's|model-00001|../model-00001|'
x 'a shard with a full path' 3 'not the plain name' 's|"model-00001|"/etc/model-00001|'
x 'a shard that is ..' 3 'not the plain name' 's|"model-00001.*"|".."|'
x 'a shard with an escape sequence' 3 '?[2J' 's|"model-00001|"\\u001b[2J|'
x 'a tensor in the wrong shard' 3 'the index' '/q_proj.bias/s/0000./00003/'
x 'an index of numbers' 3 'no name of a file' 's/"model-0.*"/1/'
x 'an index without a map' 3 'no weight_map' 's/weight_map/weight_mop/'
x 'an index that is cut' 3 'line' '/o_proj/,$d'
fresh bias_sharded
truncate -s 30000 ../m/model-00003-of-00003.safetensors
p 'a shard that is cut' 3 'model-00003-of-00003.safetensors'

# ---- other files ----
fresh
rm $W
p 'no weights' 3 'no model.safetensors'
fresh
rm $W && mkdir $W
p 'weights that are a folder' 3 'is a directory'
fresh
rm $W && mkfifo $W
p 'weights that are a pipe' 3 'not a regular file'
fresh
rm $W && ln -s model.safetensors $W
p 'weights that are a link to themselves' 3 'no model.safetensors'
fresh
try 'weights in place of the folder' 3 'config.json' predict -m $W --ids 1
try 'no such model' 3 'No such file' predict -m ../none --ids 1
try 'a folder without a model' 3 'config.json' predict -m .. --ids 1
