# --dataset: a .jsonl file that is cut, of another encoding, with lines that are
# no texts. The line is named.
sound
d() { # d NAME STATUS TEXT CONTENT
    printf "$4" >../set.jsonl
    try "$1" "$2" "$3" attribute -m ../m -o a.jsonl --dataset ../set.jsonl
}
good='{"text": "ab c"}\n'
d 'an empty data set' 3 'no line has a text' ''
d 'a data set of blank lines' 3 'no line has a text' '\n \t\r\n\n'
d 'a line that is cut' 3 'set.jsonl:2: ' "$good"'{"text": "ab'
d 'a line that is no JSON' 3 'set.jsonl:2: ' "$good"'text\n'
d 'a line with a list' 3 "set.jsonl:1: no string 'text'" '["ab"]\n'
d 'a line with a number' 3 "set.jsonl:1: no string 'text'" '7\n'
d 'a line with null' 3 "set.jsonl:1: no string 'text'" '{"text": null}\n'
d 'a line without the field' 3 "set.jsonl:2: no string 'text'" "$good"'{"body": "ab"}\n'
d 'a line with an empty text' 3 'set.jsonl:1: the text is empty' '{"text": ""}\n'
d 'a line that is no UTF-8' 3 'set.jsonl:1: ' '{"text": "a\377b"}\n'
d 'a line with a NUL byte' 3 'set.jsonl:1: ' '{"text": "a\000b"}\n'
d 'a line with two documents' 3 'set.jsonl:1: ' '{"text": "a"} {"text": "b"}\n'
d 'a data set in UTF-16' 3 'set.jsonl:1: ' '\377\376{\000"\000'
d 'a data set that is a list' 3 'set.jsonl:1: ' '[{"text": "a"},\n{"text": "b"}]\n'
d 'a line nested 5000 deep' 3 'set.jsonl:1: ' "$(head -c 5000 /dev/zero | tr '\0' '[')"
d 'a field with an escape sequence' 3 'set.jsonl:1: ' '{"text": "\\x1b[2J"}\n'
try 'no such data set' 3 'No such file' attribute -m ../m -o a.jsonl --dataset ../none.jsonl
try 'a data set that is a folder' 3 'directory' attribute -m ../m -o a.jsonl --dataset ..
