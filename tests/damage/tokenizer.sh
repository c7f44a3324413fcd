# tokenizer.json: every part of it, and other kinds of tokenizers. With --ids
# none is needed.
T=../m/tokenizer.json
sound() {
    fresh
    letters=$(printf '"%s":%d,' a 1 b 2 c 3 d 4 e 5 f 6 g 7 h 8)
    cat >$T <<EOF
{"version": "1.0",
"truncation": null,
"added_tokens": [{"id": 0, "content": "<s>", "special": true, "normalized": false}],
"normalizer": {"type": "NFC"},
"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
"post_processor": null,
"decoder": {"type": "ByteLevel"},
"model": {"type": "BPE", "unk_token": null, "byte_fallback": false,
"vocab": {"<s>": 0, $letters "ab": 9, "Ġ": 60},
"merges": ["a b"]}}
EOF
}
t() { # t NAME STATUS TEXT SED
    sound
    sed "$4" $T >../k && mv ../k $T
    try "$1" "$2" "$3" predict -m ../m -p 'abc ab'
}
fine_ids() {
    fine "$1, with --ids" predict -m ../m --ids 1,2,3
}
sound
fine 'a sound tokenizer' predict -m ../m -p 'abc ab'
for bytes in 0 1 50 250 400 550; do
    sound
    truncate -s $bytes $T
    try "tokenizer.json of $bytes bytes" 3 'tokenizer.json: line' predict -m ../m -p ab
done
fine_ids 'tokenizer.json that is cut'
t 'no model' 3 '"model"' 's/"model"/"mode"/;s/"version": "1.0",//;s/"mode":/"truncation2":/;/truncation2/s/.*/"model": [/;s/^"vocab.*/1/;s/^"merges.*/]}/'
t 'an unknown field' 4 'nosuchfield' 's/"version"/"nosuchfield"/'
t 'a field with an escape sequence' 4 '?[2J' 's/"version"/"\\u001b[2J"/'
t 'a WordPiece with merges' 4 'is not supported' 's/"BPE"/"WordPiece"/'
fine_ids 'a WordPiece with merges'
t 'a Unigram' 4 '"Unigram"' 's/"BPE"/"Unigram"/'
t 'a type that is a number' 4 'without a type' 's/"BPE"/1/;s/^"merges.*/"continuing_subword_prefix": null}}/'
t 'an unknown normalizer' 4 'NosuchNorm' 's/NFC/NosuchNorm/'
t 'a normalizer that is text' 3 'normalizer' 's/{"type": "NFC"}/"NFC"/'
t 'an unknown pre-tokenizer' 4 'Nosuch' '/pre_tok/s/ByteLevel/Nosuch/'
t 'a pre-tokenizer without a type' 3 'without a "type"' '/pre_tok/s/"type": "ByteLevel",//'
t 'a pre-tokenizer that is a list' 3 'pre-tokenizer' '/pre_tok/s/{.*}/[]/'
t 'a regular expression that is none' 3 'pattern' '/pre_tok/s/{.*}/{"type": "Split", "pattern": {"Regex": "(a"}, "behavior": "Isolated"}/'
t 'an unknown behavior' 4 'Nosuch' '/pre_tok/s/{.*}/{"type": "Split", "pattern": {"String": "a"}, "behavior": "Nosuch"}/'
t 'an unknown decoder' 4 'Nosuch' '/decoder/s/ByteLevel/Nosuch/'
t 'an unknown post-processor' 4 'Nosuch' 's/"post_processor": null/"post_processor": {"type": "Nosuch"}/'
t 'a template with unknown tokens' 3 'tokenizer.json' 's/"post_processor": null/"post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "[X]", "type_id": 0}}], "pair": [], "special_tokens": {}}/'
t 'a flag that is a number' 3 'not true or false' 's/"byte_fallback": false/"byte_fallback": 3/'
t 'a vocabulary that is a list' 3 'not an object' 's/^"vocab.*/"vocab": ["a"],/'
t 'an id that is text' 3 'not an integer' 's/"ab": 9/"ab": "9"/'
t 'an id of -1' 3 'is -1' 's/"ab": 9/"ab": -1/'
t 'an id of 2^31' 3 '2147483648' 's/"ab": 9/"ab": 2147483648/'
t 'an id of 2^31 - 2' 3 'greatest id' 's/"ab": 9/"ab": 2147483646/'
t 'an id of 2^63' 3 'line' 's/"ab": 9/"ab": 9223372036854775808/'
t 'an id of two tokens' 3 'of two tokens' 's/"ab": 9/"ab": 8/'
t 'a token twice' 3 'duplicate' 's/"ab": 9/"a": 9/'
t 'a merge that makes no token' 3 'merge' 's/"a b"/"b a"/'
t 'a merge of unknown tokens' 3 'merge' 's/"a b"/"x y"/'
t 'a merge without a space' 3 'merge' 's/"a b"/"ab"/'
t 'a merge that is a number' 3 'merge' 's/"a b"/7/'
t 'merges that are text' 3 'merges' 's/\["a b"\]/"a b"/'
t 'added tokens that are text' 3 'added_tokens' 's/^"added_tokens.*/"added_tokens": "x",/'
t 'an added token without content' 3 'content' 's/"content": "<s>",//'
t 'an added token without id' 3 'id' 's/"id": 0,//'
t 'an added token of another name' 3 'in the vocabulary' 's/"content": "<s>"/"content": "<t>"/'
t 'a token beyond the vocabulary of the model' 3 'vocabulary' 's/"ab": 9/"ab": 61/'
fine_ids 'a tokenizer larger than the model'
sound
rm $T && mkdir $T
try 'tokenizer.json is a folder' 3 'tokenizer.json' predict -m ../m -p ab
fine_ids 'tokenizer.json is a folder'
sound
rm $T && mkfifo $T
try 'tokenizer.json is a pipe' 3 'not a regular file' predict -m ../m -p ab
fine_ids 'tokenizer.json is a pipe'
sound
echo '{"add_bos_token": 3}' >../m/tokenizer_config.json
try 'tokenizer_config.json with a number' 3 'add_bos_token' predict -m ../m -p ab
sound
rm $T
echo x >../m/tokenizer.model
try 'a tokenizer of SentencePiece' 4 'tokenizer.model' predict -m ../m -p ab
fine_ids 'a tokenizer of SentencePiece'
fresh
try 'no tokenizer' 3 'no tokenizer.json' predict -m ../m -p ab
try 'no tokenizer, to explain' 3 'no tokenizer.json' attribute -m ../m -p ab -o a.json
fine_ids 'no tokenizer'

if [ -e "$shipped/tokenizer.json" ]; then
    size=$(wc -c <"$shipped/tokenizer.json")
    for part in 1 5 20 50 80 99; do
        head -c $((size * part / 100)) "$shipped/tokenizer.json" >$T
        try "the shipped tokenizer, $part % of it" 3 'tokenizer.json: line' tokenize -m $T -p 'It was'
    done
    sed 's/"merges":\[\[*"/&zzz/' "$shipped/tokenizer.json" >$T
    try 'the shipped tokenizer, a merge that is wrong' 3 'merge' tokenize -m $T -p 'It was'
fi
