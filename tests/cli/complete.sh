#!/bin/sh
# Completion in the shells themselves. Candidates are picked by name, so that
# adding a method or an option changes no test.
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
"$HEED" help --completion bash >"$dir/heed" || exit
"$HEED" help --completion zsh >"$dir/_heed" || exit
mkdir "$dir/models" && : >"$dir/models/two words.gguf"
cd "$dir" || exit 1

# has WANTED... -- WORD...: every one of WANTED is offered for the last WORD,
# and with - in front not. Words are split as bash does: "=" is one.
cat >bash-test <<'END'
source ./heed
complete -p heed
has() {
    local -a want=()
    while [[ $1 != -- ]]; do want+=("$1"); shift; done
    shift
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _heed
    local w got
    got=$(printf '<%s>' "${COMPREPLY[@]}")
    for w in "${want[@]}"; do
        case $w in
        !*) [[ $got != *"<${w#!}>"* ]] || echo "offered: $w for $*" ;;
        *) [[ $got == *"<$w>"* ]] || echo "not offered: $w for $*: $got" ;;
        esac
    done
}
nothing() {
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _heed
    ((${#COMPREPLY[@]} == 0)) || echo "offered for $*: ${COMPREPLY[*]}"
}
has attribute attention check render --help -- heed ''
has attribute attention '!check' -- heed att
has --method --model --max-memory '!--prompt' -- heed attribute --m
has --steps -- heed attribute --st
has --figure --png '!--prompt' '!--steps' -- heed render --
has attn_lrp mamba_lrp occlusion -- heed attribute --method ''
has attn_lrp '!mamba_lrp' -- heed attribute -a attn_
has attn_lrp -- heed attribute --method = attn
has attn_lrp -- heed attribute --method =
has occlusion,mamba_lrp '!occlusion,attn_lrp' -- heed attribute -a occlusion,m
has probability logprob -- heed attribute --target ''
has json csv -- heed attribute --format ''
has rdbu_r viridis -- heed render a.h5 --cmap ''
has left right -- heed attribute --truncate ''
has gauss -- heed attribute --quadrature ''
has models/two\ words.gguf -- heed attribute -m models/
has models -- heed inspect mod
has models heed -- heed render ''
has attribute help -- heed help ''
has attn_lrp -- heed methods ''
nothing heed attribute -p ''
nothing heed attribute --top ''
nothing heed nosuch ''
nothing heed formats ''
echo "bash: done"
END
bash --norc --noprofile bash-test 2>&1

# zsh runs a line whose words were completed, and prints what it ran.
cat >zsh-test <<'END'
zmodload zsh/zpty
zpty z "TERM=dumb zsh -f -i"
read_until() { # what the other shell prints, until $1 or for some time
    local some i
    got=
    for i in {1..200}; do
        if zpty -rt z some; then got+=$some; else sleep 0.05; fi
        [[ $got != *$1* ]] || return 0
    done
    print "no answer: ${(V)got}"
    exit 1
}
zpty -w z "PS1= fpath=($PWD \$fpath); autoload -Uz compinit; compinit -u -D; heed() { print -r -- \"RAN:\$*:END\" }; print REA'D'Y"
read_until READY
line() { # TYPED RUN
    zpty -wn z "heed $1"$'\n'
    read_until ':END'
    got=${${got##*RAN:}%%:END*}
    [[ $got == $2 ]] || print -r -- "zsh made of ${(V)1}: $got"
}
tab=$'\t'
line "attribu${tab}--prom${tab} x" 'attribute --prompt x'
line "attribute -a attn_${tab} --target contrast_l${tab}" \
    'attribute -a attn_lrp --target contrast_logit_diff'
line "attribute -a occlusion,attn_${tab} --trunc${tab}le${tab}" \
    'attribute -a occlusion,attn_lrp --truncate=left'
line "attribute --jso${tab}-m models/tw${tab}" \
    'attribute --json -m models/two words.gguf'
line "inspect models/tw${tab}" 'inspect models/two words.gguf'
line "render --cmap magm${tab}" 'render --cmap magma'
line "help forma${tab}" 'help formats'
line "formats --jso${tab}" 'formats --json'
END
if command -v zsh >/dev/null; then
    timeout 60 zsh -f zsh-test 2>&1
else
    echo 'skipped: completion in zsh, which is not installed'
fi
