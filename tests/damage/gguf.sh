# GGUF files. Dimensions are 8 bytes, types and counts of dimensions 4.
G=../m.gguf
sample=llama/gguf_llama3.gguf
g() { # g NAME STATUS TEXT OFFSET BYTES: damage at a place
    fresh_gguf
    poke $G "$4" "$5"
    gp "$1" "$2" "$3"
}
fresh_gguf() {
    cp "$golden/$sample" $G
}
gp() {
    try "$1" "$2" "$3" predict -m $G --ids 1,2,3
}
fresh_gguf
fine 'a sound GGUF file' predict -m $G --ids 1,2,3
for bytes in 0 3 4 8 20 24 100 500 900 1500 40000 85290; do
    fresh_gguf
    truncate -s $bytes $G
    gp "GGUF of $bytes bytes" 3 'm.gguf'
done
most='\377\377\377\377\377\377\377\377'
top='\000\000\000\000\000\000\000\200'
g 'another magic' 3 'neither' 0 X
g 'version 1' 4 'version 1' 4 '\001'
g 'version 99' 4 'version 99' 4 '\143'
g 'big-endian' 4 'big-endian' 4 '\000\000\000\003'
g 'no tensors' 3 'm.gguf' 8 '\000'
g '2^64-1 tensors' 3 'tensors' 8 "$most"
g '2^63 tensors' 3 'tensors' 8 "$top"
g '2^64-1 keys' 3 'keys' 16 "$most"
g 'no keys' 3 'm.gguf' 16 '\000'
g 'a key of 2^63 bytes' 3 'm.gguf' 24 "$top"
fresh_gguf
at=$(find_text $G general.architecture)
g 'another key than the architecture' 3 'no general.architecture' $((at + 8)) X
g 'an architecture of 2^64-1 bytes' 3 'm.gguf' $((at + 24)) "$most"
g 'an unknown architecture' 4 "'xlama'" $((at + 32)) x
g 'an architecture with an escape' 4 "'?lama'" $((at + 32)) '\033'
g 'a value of an unknown type' 3 'm.gguf' $((at + 20)) '\143'
at=$(find_text $G llama.block_count)
g 'block_count 2^31' 3 'block_count' $((at + 21)) '\000\000\000\200'
g 'block_count 0' 3 'block_count' $((at + 21)) '\000'
g 'block_count 9' 3 'is missing' $((at + 21)) '\011'
at=$(find_text $G llama.embedding_length)
g 'embedding_length 2^31' 3 'm.gguf' $((at + 26)) '\000\000\000\200'
at=$(find_text $G llama.attention.head_count)
g 'head_count 0' 3 'head_count' $((at + 30)) '\000'
g 'head_count 7' 3 'm.gguf' $((at + 30)) '\007'
at=$(find_text $G token_embd.weight)
g 'a tensor without its name' 3 'token_embd.weight is missing' "$at" x
g 'a name with an escape sequence' 3 'byte 27' "$at" '\033'
g '2^32-1 dimensions' 3 'dimensions' $((at + 17)) '\377\377\377\377'
g 'a dimension of 0' 3 'dimension' $((at + 21)) '\000\000'
g 'a dimension of 2^63' 3 'dimension' $((at + 21)) "$top"
g 'a dimension of 2^62' 3 'token_embd' $((at + 21)) '\000\000\000\000\000\000\000\100'
g 'an unknown quantisation' 4 'unknown type 99' $((at + 37)) '\143'
g 'a quantisation without a decoder' 4 'q2_k' $((at + 37)) '\012'
g 'an offset of 2^63' 3 'beyond the end' $((at + 41)) "$top"
g 'an offset that is not aligned' 3 'multiple' $((at + 41)) '\001'
g 'an offset into another tensor' 3 'overlap' $((at + 41)) '\100'
