/* The options of all subcommands. Help, the manual and the parser are made
 * from these rows. */
#include "cli_args.h"

// clang-format off
#define TO(field) offsetof(heedi_args, field)
#define SWITCH(name, field, sets, help) \
    {0, name, 0, HEEDI_SWITCH, 0, 0, 0, 0, sets, TO(field), help}
#define TEXT(key, name, aliases, field, arg, sets, help) \
    {key, name, aliases, HEEDI_TEXT, arg, 0, 0, 0, sets, TO(field), help}
#define WORD(name, field, words, sets, help) \
    {0, name, 0, HEEDI_WORD, words, words, 0, 0, sets, TO(field), help}
#define INTEGER(key, name, aliases, field, min, max, sets, help) \
    {key, name, aliases, HEEDI_INTEGER, "N", 0, min, max, sets, TO(field), help}
#define NUMBER(name, field, min, max, sets, help) \
    {0, name, 0, HEEDI_NUMBER, "X", 0, min, max, sets, TO(field), help}
#define LIST(key, name, aliases, field, kind, arg, min, sets, help) \
    {key, name, aliases, kind, arg, 0, min, INT32_MAX, sets, TO(field), help}

#define COMMON    HEEDI_SET_COMMON
#define MODEL     HEEDI_SET_MODEL
#define INPUT     HEEDI_SET_TEXT
#define MANY      HEEDI_SET_MANY
#define LENGTH    HEEDI_SET_LENGTH
#define METHOD    HEEDI_SET_METHOD
#define CONTINUE  HEEDI_SET_CONTINUE
#define TARGET    HEEDI_SET_TARGET
#define REDUCE    HEEDI_SET_REDUCE
#define WHICH     HEEDI_SET_WHICH
#define CHECK     HEEDI_SET_CHECK
#define STORE     HEEDI_SET_STORE
#define ATTENTION HEEDI_SET_ATTENTION
#define FILE_     HEEDI_SET_FILE
#define PICTURE   HEEDI_SET_PICTURE
#define RENDER    HEEDI_SET_RENDER

enum { INT_MAX_ID = INT32_MAX - 1 };
#define BIG 9007199254740992.0 /* 2^53: integers up to here are exact */
#define HUGE_NUMBER 1e300

const heedi_flag heedi_cli_flags[] = {
    TEXT('m', "model", "model-name-or-path", model, "PATH", MODEL,
         "Hugging Face directory or .gguf file"),
    INTEGER('t', "threads", 0, threads, 0, 4096, MODEL,
            "changes no result (0: all processors)"),

    TEXT('p', "prompt", "input-texts", prompt, "TEXT", INPUT,
         "the text, as it is: no chat template is applied"),
    TEXT('f', "input-file", 0, input_file, "FILE", INPUT,
         "the text is in a file; - for standard input"),
    LIST(0, "ids", 0, ids, HEEDI_INTS, "1,2,3", 0, INPUT,
         "token ids in place of text; needs no tokenizer"),
    SWITCH("special", special, INPUT | CONTINUE,
           "recognise special tokens written in the text"),
    SWITCH("bos", bos, INPUT, "begin with the BOS token"),
    SWITCH("no-bos", no_bos, INPUT, "do not add a BOS token"),

    TEXT(0, "pair", 0, pair, "TEXT", HEEDI_SET_PAIR,
         "segment 1, or what the text is compared with"),

    TEXT(0, "image", 0, image, "FILE", HEEDI_SET_IMAGE,
         "PNG or JPEG, for models that read images"),

    TEXT(0, "dataset", 0, dataset, "FILE.jsonl", MANY,
         "many inputs, one JSON object on each line"),
    TEXT(0, "text-field", 0, text_field, "NAME", MANY,
         "field of --dataset with the text (text)"),
    INTEGER('b', "batch-size", 0, batch, 1, 65536, MANY,
            "inputs run together; changes no result (1)"),
    SWITCH("per-file", per_file, MANY,
           "one result file for each input: FILE_0.h5, ..."),

    INTEGER('c', "context", 0, context, 1, BIG, LENGTH,
            "longest input in tokens; longer needs --truncate"),
    WORD("truncate", truncate, "left|right", LENGTH,
         "drop tokens of a longer input at this end"),
    {0, "max-memory", 0, HEEDI_SIZE, "8G", 0, 0, 0, LENGTH, TO(max_memory),
     "refuse to start what needs more"},

    LIST('a', "method", "attribution-method", method, HEEDI_NAMES, "NAME,...",
         0, METHOD | RENDER,
         "methods; repeatable (that of the model's family)"),
    LIST(0, "rule", 0, rule, HEEDI_TEXTS, "GLOB=RULE:X", 0, METHOD,
         "rule of operations by name; `heed methods --rules`"),

    TEXT('g', "generated", "generated-texts", generated, "TEXT", CONTINUE,
         "forced continuation; each token is explained"),
    LIST(0, "target-ids", 0, target_ids, HEEDI_INTS, "1,2,3", 0, CONTINUE,
         "the same as token ids"),
    INTEGER('n', "new-tokens", "max-new-tokens", new_tokens, 0, INT_MAX_ID,
            HEEDI_SET_NEW | CONTINUE,
            "tokens to generate; attribute explains each"),

    LIST(0, "at", 0, at, HEEDI_AT_LIST, "POS,...|all", -BIG, HEEDI_SET_AT,
         "rows whose next token is meant (-1, the last)"),

    TEXT(0, "target", "attributed-fn", target, "KIND", TARGET,
         "logit, probability, contrast_logit_diff, ... (logit)"),
    TEXT(0, "target-token", "target-class", target_token, "TEXT", TARGET,
         "explain this token, not the most likely one"),
    INTEGER(0, "target-id", 0, target_id, 0, INT_MAX_ID, TARGET,
            "the same as an id"),
    TEXT(0, "foil-token", 0, foil_token, "TEXT", TARGET,
         "the other of a contrast (the second most likely)"),
    INTEGER(0, "foil-id", 0, foil_id, 0, INT_MAX_ID, TARGET,
            "the same as an id"),
    SWITCH("center-logits", center_logits, TARGET,
           "a logit less the mean of all others"),

    {0, "top", 0, HEEDI_INTEGER, "K", 0, 1, INT_MAX_ID, HEEDI_SET_TOP, TO(top),
     "candidates for each row (10); kept heads, neurons"},

    TEXT(0, "reduce", 0, reduce, "NAME", REDUCE,
         "sum, mean, l1, l2, absmax, max, ... (the method's)"),
    TEXT(0, "leaf", 0, leaf, "word|sum|normed", STORE,
         "tensor that is explained (word, the token embedding)"),
    LIST(0, "layers", 0, layers, HEEDI_RANGES, "0,3-5|all", 0,
         WHICH | CHECK | RENDER,
         "layers to store (all), check (three) or draw (all)"),
    LIST(0, "heads", 0, heads, HEEDI_RANGES, "0,3-5", 0, WHICH | RENDER,
         "heads to store (all) or draw (all; of one layer 0)"),

    TEXT(0, "group", 0, group, "UNIT", STORE,
         "rows of the table: token (default) or word"),
    LIST(0, "keep", 0, keep, HEEDI_NAMES, "layer,...", 0, STORE,
         "relevance inside the model to store, too"),
    LIST(0, "position-by", 0, position_by, HEEDI_NAMES, "NAME,...", 0, STORE,
         "positions split by head, frequency, distance, cos_sin"),
    SWITCH("ledger", ledger, STORE,
           "print relevance in and out of every operation"),
    NUMBER("tol", tol, 0, 1e6, STORE,
           "largest accepted residual, relative (1e-4)"),

    WORD("kind", kind, "softmax|core|block|implicit", ATTENTION,
         "what is an attention matrix; implicit means core"),
    WORD("skip", skip, "separate|fold|drop", ATTENTION,
         "what a block adds beside its matrix (separate)"),
    WORD("variant", variant, "exact|raw", ATTENTION,
         "raw: without dt of Mamba 2, (1 - a^2)^1/2 of RG-LRU"),
    LIST(0, "channels", 0, channels, HEEDI_RANGES, "0,3-5", 0, ATTENTION,
         "channels to store, where layers have many (all)"),
    SWITCH("profile", profile, ATTENTION,
           "how far rows reach, in place of the maps"),
    TEXT(0, "needle", 0, needle, "A:B", ATTENTION,
         "with --profile: share of tokens A to B-1"),
    WORD("order", order, "ratio_of_sums|mean_of_ratios", ATTENTION,
         "how --profile takes distances"),
    TEXT(0, "horizon", 0, horizon, "EPS", ATTENTION,
         "with --profile: what is left at a horizon (1e-3)"),
    SWITCH("horizon-rows", horizon_rows, ATTENTION,
           "with --profile: horizons of every row"),
    LIST(0, "rows", 0, rows, HEEDI_RANGES, "0,3-5,-1", -BIG, ATTENTION,
         "query rows to make; -1 is the last (all)"),
    INTEGER(0, "row-step", 0, row_step, 1, INT_MAX_ID, ATTENTION,
            "every N-th query row, the last among them (1)"),

    TEXT('o', "output", "save-path", output, "FILE", FILE_,
         "result file, format by extension; - for stdout"),
    TEXT(0, "format", 0, format, "NAME", FILE_,
         "of -o (by its extension); see `heed formats`"),
    INTEGER('s', "seed", 0, seed, 0, BIG, FILE_,
            "of random numbers; stored even if unused (0)"),
    SWITCH("no-hash", no_hash, FILE_ | HEEDI_SET_SIZE | HEEDI_SET_NEW,
           "do not read all weights for their SHA-256"),

    TEXT(0, "png", 0, png, "FILE", PICTURE, "picture"),
    TEXT(0, "svg", 0, svg, "FILE", PICTURE, "picture"),
    TEXT(0, "pdf", 0, pdf, "FILE", PICTURE, "picture"),
    TEXT(0, "viz-path", 0, picture, "FILE", PICTURE, NULL),
    SWITCH("force", force, FILE_ | PICTURE, "replace existing files"),
    TEXT(0, "figure", 0, figure, "NAME", PICTURE,
         "see `heed formats` (by what there is to draw)"),
    TEXT(0, "cmap", 0, cmap, "NAME", PICTURE,
         "rdbu_r, viridis, blues, ... (by what is drawn)"),
    NUMBER("vmin", vmin, -HUGE_NUMBER, HUGE_NUMBER, PICTURE,
           "lower end of the colour range"),
    NUMBER("vmax", vmax, -HUGE_NUMBER, HUGE_NUMBER, PICTURE,
           "upper end of the colour range"),
    NUMBER("robust", robust, 1, 100, PICTURE,
           "percentile of |x| that the colours cover (100)"),
    SWITCH("log", log, PICTURE, "logarithmic colours"),
    SWITCH("drop-first", drop_first, PICTURE,
           "position 0 does not count in the colour range"),
    SWITCH("drop-special", drop_special, PICTURE,
           "special tokens do not count in the colour range"),
    SWITCH("show-space", show_space, PICTURE, "draw spaces as \xe2\x90\xa3"),
    NUMBER("width", width, 200, 20000, PICTURE,
           "of the page in px at 96 dpi (760)"),
    NUMBER("min-font", min_font, 1, 200, PICTURE,
           "text is never smaller, in px (9)"),
    TEXT(0, "title", 0, title, "TEXT", PICTURE, "title (made from the target)"),
    WORD("theme", theme, "light|dark", PICTURE, "background (light); dark is not in this version"),
    SWITCH("raw-tokens", raw_tokens, PICTURE | HEEDI_SET_DECODE,
           "show tokens as the vocabulary spells them"),

    SWITCH("dry-run", dry_run, HEEDI_SET_PLAN,
           "print the memory plan and stop"),
    INTEGER('T', "tokens", 0, tokens, 1, BIG, HEEDI_SET_SIZE,
            "length of the input that is planned for (512)"),
    SWITCH("decode", decode, HEEDI_SET_DECODE, "give the text of --ids back"),
    SWITCH("rules", rules, HEEDI_SET_RULES,
           "the rules of relevance of all methods, as a table"),
    SWITCH("man", man, HEEDI_SET_HELP, "print the manual page"),
    WORD("completion", completion, "bash|zsh", HEEDI_SET_HELP,
         "print a script that completes command lines"),

    SWITCH("json", json, COMMON, "one JSON document on standard output"),
    WORD("color", color, "auto|always|never", COMMON,
         "heat map on stdout (auto: on a terminal)"),
    {'q', "quiet", 0, HEEDI_SWITCH, 0, 0, 0, 0, COMMON, TO(quiet),
     "no warnings, no summary, no progress"},
    {'v', "verbose", 0, HEEDI_SWITCH, 0, 0, 0, 0, COMMON, TO(verbose),
     "say more on stderr"},
    {'h', "help", 0, HEEDI_SWITCH, 0, 0, 0, 0, COMMON, TO(help),
     "what the command does, and its options"},
    SWITCH("version", version, COMMON, "version of the program"),
    {0},
};
// clang-format on

const char *const heedi_cli_set_titles[HEEDI_N_SETS] = {
#define S(name, title) title,
    HEEDI_SETS(S)
#undef S
};

void heedi_cli_args_init(heedi_args *a)
{
    *a = (heedi_args){
        .text_field = "text",
        .batch = 1,
        .target_id = -1,
        .foil_id = -1,
    };
}
