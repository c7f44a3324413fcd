# RWKV-4: folders. C 20, A 20, F 80, L 2, V 61.
family=rwkv
W=../m/model.safetensors
att=rwkv.blocks.0.attention
ffn=rwkv.blocks.0.feed_forward
fresh
fine 'a sound rwkv' predict -m ../m --ids 1,2,3

# ---- config.json ----
k hidden_size 0 3 "'hidden_size' is 0"
k hidden_size -20 3 "'hidden_size' is -20"
k hidden_size '"20"' 3 "'hidden_size' is not a number"
k hidden_size 24 3 'the configuration says'
k hidden_size null 3 'the configuration says (61, 4096)'
k hidden_size 1000000000 3 'the configuration says'
k attention_hidden_size 21 3 "$att.time_decay has shape (20), the configuration says (21)"
k attention_hidden_size -1 3 "'attention_hidden_size' is -1"
k attention_hidden_size 2.5 3 'whole number'
k attention_hidden_size 1000000000 3 'the configuration says'
k intermediate_size 79 3 "$ffn.key.weight has shape (80, 20), the configuration says (79, 20)"
k intermediate_size -1 3 "'intermediate_size' is -1"
k intermediate_size 1e18 3 "'intermediate_size' is 1e+18"
k num_hidden_layers 0 3 "'num_hidden_layers' is 0"
k num_hidden_layers 1 4 "that 'rwkv' models do not have"
k num_hidden_layers 3 3 'rwkv.blocks.2'
k num_hidden_layers 1000000000 3 '1000000000 layers'
k vocab_size 62 3 '(61, 20), the configuration says (62, 20)'
k vocab_size -1 3 "'vocab_size' is -1"
k context_length 0 3 "'context_length' is 0"
k layer_norm_epsilon -1 3 "'layer_norm_epsilon' is -1"
k layer_norm_epsilon NaN 3 "'layer_norm_epsilon' is nan"
k tie_word_embeddings 1 3 'not true or false'
k model_type '"rwkv5"' 4 "'rwkv5'"
k model_type '"mamba"' 3 'backbone'
fresh bf16
key quantization_config '{"quant_method": "bitsandbytes"}'
p 'weights that bitsandbytes made' 4 "'bitsandbytes'"
fresh tied
key tie_word_embeddings false
p 'no head' 3 'the tensor of the head is missing'

# ---- tensors ----
for tensor in time_decay time_first time_mix_key time_mix_value time_mix_receptance \
    key.weight value.weight receptance.weight output.weight; do
    h "no attention.$tensor" 3 "$att.$tensor is missing" "s/$att.$tensor\"/__metadata__2\"/"
done
for tensor in time_mix_key time_mix_receptance key.weight value.weight receptance.weight; do
    h "no feed_forward.$tensor" 3 "$ffn.$tensor is missing" "s/$ffn.$tensor\"/__metadata__2\"/"
done
h 'no norm of the embedding' 3 'pre_ln.weight is missing' 's/rwkv.blocks.0.pre_ln.weight/__metadata__2/'
h 'no shift of the last norm' 3 'rwkv.ln_out.bias is missing' 's/rwkv.ln_out.bias/__metadata__2/'
h 'a norm of another embedding' 4 'rwkv.blocks.1.pre_ln.weight' \
    's/{/{"rwkv.blocks.1.pre_ln.weight":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},/'
h 'a gate, which rwkv5 has' 4 "$att.gate.weight" \
    "s/{/{\"$att.gate.weight\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},/"
h 'a decay as a matrix' 3 'has shape (1, 20)' "s/\($att.time_decay\":{[^}]*\)\[20\]/\1[1,20]/"
h 'mixing weights without dimensions' 3 'has shape (20)' 's/\[1,1,20\]/[20]/'
h 'mixing weights the other way' 3 'has shape (20, 1, 1)' 's/\[1,1,20\]/[20,1,1]/'
h 'neurons with swapped dimensions' 3 'has shape (20, 80)' 's/\[80,20\]/[20,80]/'
h 'a decay of integers' 4 'hold no weights' "s/\($att.time_decay\":{[^}]*\)F32/\1I32/"
h 'keys of half the size' 3 'its shape needs' "s/\($att.key.weight\":{[^}]*\)F32/\1F16/"
for bytes in 9 2000 3000 45343; do
    fresh
    truncate -s $bytes $W
    p "safetensors of $bytes bytes" 3 'model.safetensors'
done

value 'NaN in time_decay' $att.time_decay 5 "$nan"
value 'infinity in time_decay' $att.time_decay 5 "$inf"
value 'infinity in time_first' $att.time_first 0 "$inf"
value 'NaN in mixing weights' $att.time_mix_value 2 "$nan"
value 'infinity in mixing weights' $ffn.time_mix_key 19 "$inf"
value 'NaN in keys' $att.key.weight 9 "$nan"
value 'NaN in the first norm' rwkv.blocks.0.pre_ln.bias 3 "$nan"

# ---- shards ----
fresh sharded_bare
fine 'sound shards of rwkv' predict -m ../m --ids 1,2,3
rm ../m/model-00003-of-00003.safetensors
p 'a shard of rwkv is missing' 3 'model-00003-of-00003.safetensors'
