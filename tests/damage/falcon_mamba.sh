# Falcon Mamba: what it has beside Mamba. C 20, E 36.
family=falcon_mamba
W=../m/model.safetensors
fresh
fine 'a sound falcon_mamba' predict -m ../m --ids 1,2,3
k intermediate_size 0 3 'the inner size is 0'
k intermediate_size -36 3 "'intermediate_size' is -36"
k intermediate_size 40 3 'the configuration says'
k intermediate_size null 3 'the configuration says (640, 20)'
k intermediate_size '"36"' 3 "'intermediate_size' is not a number"
k mixer_rms_eps -1 3 "'mixer_rms_eps' is -1"
k mixer_rms_eps '"small"' 3 "'mixer_rms_eps' is not a number"
k state_size 1000000000 3 'the configuration says'
k time_step_rank 1000000 3 'the configuration says'
h 'a gain of B and C' 4 'b_c_rms' 's/{/{"backbone.layers.0.mixer.b_c_rms":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},/'
sample=falcon_mamba/gguf_tied.gguf
fresh_gguf
fine 'a sound GGUF falcon_mamba' predict -m $G --ids 1,2,3
