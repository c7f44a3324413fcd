# config.json: wrong types, values that do not fit, things that are unknown.
k() { # k NAME VALUE STATUS TEXT
    with "$1" "$2"
    p "$1: $2" "$3" "$4"
}
fresh
key vocab_size 61
fine 'a sound config.json' predict -m ../m --ids 1,2,3

C=../m/config.json
for bytes in 0 1 60 150; do
    fresh
    truncate -s $bytes $C
    p "config.json of $bytes bytes" 3 'config.json'
done
fresh
rm $C
p 'no config.json' 3 'config.json'
fresh
rm $C && mkdir $C
p 'config.json is a folder' 3 'is a directory'
fresh
rm $C && mkfifo $C
p 'config.json is a pipe' 3 'not a regular file'
fresh
poke $C 30 '\377\376'
p 'config.json is no UTF-8' 3 'line 3'
fresh
echo '[1, 2]' >$C
p 'config.json is a list' 3 'not a JSON object'
fresh
{ printf '{"a":'; head -c 5000 /dev/zero | tr '\0' '['; } >$C
p 'config.json is nested 5000 deep' 3 'depth'

k model_type '"nosuchmodel"' 4 "'nosuchmodel'"
k model_type '"llama\u0000"' 3 'NUL'
k model_type '"\u001b]0;x\u0007"' 4 "'?]0;x?'"
k model_type 3 3 'no model_type'
k model_type null 3 'no model_type'
for size in hidden_size num_hidden_layers num_attention_heads intermediate_size; do
    k $size '"24"' 3 "'$size' is not a number"
    k $size 0 3 "'$size' is 0"
    k $size null 3 "no '$size'"
done
k vocab_size '[61]' 3 "'vocab_size' is not a number"
k hidden_size -24 3 "'hidden_size' is -24"
k hidden_size 24.5 3 'whole number'
k hidden_size 1e308 3 "'hidden_size' is 1e+308"
k hidden_size 1e309 3 'line'
k hidden_size NaN 3 "'hidden_size' is nan"
k hidden_size true 3 'not a number'
k hidden_size 9223372036854775808 3 "'hidden_size' is 9.22337e+18"
k hidden_size 1000000000 3 'the configuration says'
k num_hidden_layers 1000000000 3 '1000000000 layers'
k num_hidden_layers 1 4 'that '"'llama'"' models do not have'
k num_hidden_layers 3 3 'is missing'
k num_attention_heads 5 3 'do not fit together'
k num_attention_heads 24 3 'do not fit together'
k num_key_value_heads 3 3 'do not fit together'
k num_key_value_heads 8 3 'do not fit together'
k num_key_value_heads -1 3 "'num_key_value_heads' is -1"
k head_dim 7 3 'do not fit together'
k head_dim 1000000000 3 'the configuration says'
k vocab_size 62 3 '(61, 24), the configuration says (62, 24)'
k vocab_size 0 3 'the configuration says'
k max_position_embeddings 0 3 "'max_position_embeddings' is 0"
k max_position_embeddings 1e308 3 "'max_position_embeddings' is 1e+308"
k rms_norm_eps -1 3 "'rms_norm_eps' is -1"
k rms_norm_eps '"1e-6"' 3 'not a number'
k rms_norm_eps Infinity 3 "'rms_norm_eps' is inf"
k hidden_act '"nosuchact"' 4 "'nosuchact'"
k hidden_act 3 3 "'hidden_act' is not a string"
k attention_bias 1 3 'not true or false'
k attention_bias true 3 'attention_bias is true'
k mlp_bias true 3 'mlp_bias true'
k tie_word_embeddings '"no"' 3 'not true or false'
k num_local_experts 8 4 'mixtures of experts'
k quantization_config '{"quant_method": "gptq", "bits": 4}' 4 'gptq'
k quantization_config '{"bits": 4}' 4 'quantization_config'

k rope_theta 0 3 'rope'
k rope_theta -1 3 'rope'
k rope_theta '"10000"' 3 'rope_theta'
k rope_scaling '"linear"' 3 'not an object'
k rope_scaling '{"type": "nosuchrope", "factor": 2}' 4 'nosuchrope'
k rope_scaling '{"type": "\u001b[1m", "factor": 2}' 4 '?[1m'
k rope_scaling '{"type": 3, "factor": 2}' 3 'not a string'
k rope_scaling '{"type": "linear"}' 3 'needs factor'
k rope_scaling '{"type": "linear", "factor": 0}' 3 'factor'
k rope_scaling '{"type": "linear", "factor": -2}' 3 'factor'
k rope_scaling '{"type": "linear", "factor": "2"}' 3 'factor'
k rope_scaling '{"rope_type": "yarn", "factor": 4, "beta_fast": "x"}' 3 'not a number'
k rope_parameters '{"rope_type": "default", "rope_theta": [1]}' 3 'not a number'
with rope_theta 1e308
fine 'rope_theta: 1e308' predict -m ../m --ids 1,2,3
k rope_scaling '{"type": "dynamic", "factor": NaN}' 3 'factor'
k rope_scaling '{"rope_type": "llama3", "factor": 8}' 3 'needs'
k rope_scaling '{"rope_type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 4, "original_max_position_embeddings": 64}' 3 'freq'
k rope_scaling '{"rope_type": "longrope", "short_factor": [1, 1], "long_factor": [1, 1, 1]}' 3 'list of 3 numbers'
k rope_scaling '{"rope_type": "longrope", "short_factor": [1, 1, 0], "long_factor": [1, 1, 1]}' 3 'no positive number'
k rope_scaling '{"rope_type": "yarn", "factor": 4, "beta_fast": 0}' 3 'beta_fast'
k rope_scaling '{"rope_type": "yarn", "factor": 4, "original_max_position_embeddings": 0}' 3 'original'
