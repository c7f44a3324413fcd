/* cli_args.h - the options of all subcommands: one table, one parser. */
#ifndef HEEDI_CLI_ARGS_H
#define HEEDI_CLI_ARGS_H

#include <heed/heed.h>
#include <stdbool.h>
#include <stddef.h>

/* Options come in sets; a command accepts some of them. */
#define HEEDI_SETS(S)              \
    S(MODEL, "Model")              \
    S(TEXT, "Input")               \
    S(PAIR, "Second text")         \
    S(IMAGE, "Image")              \
    S(MANY, "Many inputs")         \
    S(LENGTH, "Length and memory") \
    S(METHOD, "Method")            \
    S(CONTINUE, "Continuation")    \
    S(NEW, "Generation")           \
    S(AT, "Position")              \
    S(TARGET, "Target")            \
    S(TOP, "Candidates")           \
    S(REDUCE, "Reduction")         \
    S(WHICH, "Layers and heads")   \
    S(CHECK, "Layers to check")    \
    S(STORE, "What is stored")     \
    S(ATTENTION, "Attention maps") \
    S(FILE, "Result file")         \
    S(PICTURE, "Pictures")         \
    S(RENDER, "What is drawn")     \
    S(PLAN, "Memory plan")         \
    S(SIZE, "Size of the plan")    \
    S(DECODE, "Decoding")          \
    S(RULES, "Rules")              \
    S(HELP, "Other forms")         \
    S(COMMON, "General")

enum {
#define S(name, title) HEEDI_SET_BIT_##name,
    HEEDI_SETS(S)
#undef S
        HEEDI_N_SETS
};
enum {
#define S(name, title) HEEDI_SET_##name = 1 << HEEDI_SET_BIT_##name,
    HEEDI_SETS(S)
#undef S
};

/* How a value is written, and what it is stored as. */
typedef enum heedi_kind {
    HEEDI_SWITCH,  /* no value; int */
    HEEDI_TEXT,    /* const char * */
    HEEDI_WORD,    /* one of `words`; int, counted from 1 */
    HEEDI_INTEGER, /* int64_t */
    HEEDI_NUMBER,  /* double */
    HEEDI_SIZE,    /* 8G: bytes; uint64_t */
    HEEDI_INTS,    /* 1,2,3; heedi_ints */
    HEEDI_RANGES,  /* 0,3-5 or all; heedi_ints, n == -1 for all */
    HEEDI_AT_LIST, /* -1,0 or all; heedi_ints, n == -1 for all */
    HEEDI_NAMES,   /* a,b, may be repeated; heedi_names */
    HEEDI_TEXTS    /* the same, as they are */
} heedi_kind;

typedef struct heedi_ints {
    int64_t *v;
    int64_t n;
} heedi_ints;

typedef struct heedi_names {
    char **v; /* lower case, '_' for '-'; ends at NULL */
    int64_t n;
} heedi_names;

/* Options of methods, in the order given. */
typedef struct heedi_settings {
    heed_setting *v;
    int64_t n;
} heedi_settings;

/* Values of HEEDI_WORD options; 0 is "not given". */
enum { HEEDI_COLOR_AUTO = 1, HEEDI_COLOR_ALWAYS, HEEDI_COLOR_NEVER };
enum { HEEDI_SHELL_BASH = 1, HEEDI_SHELL_ZSH };
enum { HEEDI_TRUNCATE_LEFT = 1, HEEDI_TRUNCATE_RIGHT };
enum { HEEDI_THEME_LIGHT = 1, HEEDI_THEME_DARK };
enum {
    HEEDI_ATTENTION_SOFTMAX = 1,
    HEEDI_ATTENTION_CORE,
    HEEDI_ATTENTION_BLOCK,
    HEEDI_ATTENTION_IMPLICIT
};
enum { HEEDI_SKIP_SEPARATE = 1, HEEDI_SKIP_FOLD, HEEDI_SKIP_DROP };

/* Everything a command line can say. A field that was not given has the value
 * of heedi_cli_args_init(). Strings are argv's. */
typedef struct heedi_args {
    /* general */
    int json, quiet, verbose, help, version, man, rules;
    int completion;        /* HEEDI_SHELL_... */
    int color;             /* HEEDI_COLOR_... */
    const char *operand;   /* what follows the command: "-", a name */
    const char **operands; /* all of them, n_operands; operand is the first */
    int64_t n_operands;
    /* model and input */
    const char *model, *prompt, *pair, *input_file, *dataset, *text_field;
    const char *image;
    heedi_ints ids;
    int special, bos, no_bos, per_file, decode, raw_tokens;
    int64_t threads, context, batch, tokens;
    int truncate; /* HEEDI_TRUNCATE_... */
    uint64_t max_memory;
    /* what to explain */
    heedi_names method;
    heedi_settings settings;
    const char *generated;
    heedi_ints target_ids, at;
    int64_t new_tokens, top;
    const char *target, *target_token, *foil_token;
    int64_t target_id, foil_id; /* -1: not given */
    int center_logits;
    /* what is stored */
    const char *reduce, *group, *leaf;
    int kind;           /* of attention: HEEDI_ATTENTION_... */
    int skip;           /* HEEDI_SKIP_... */
    int variant;        /* 1: exact, 2: raw */
    int profile, order; /* order: 2 is mean_of_ratios */
    const char *needle, *horizon;
    int horizon_rows;
    heedi_ints layers, heads, channels, rows;
    int64_t row_step;
    heedi_names keep, rule, position_by;
    int ledger, dry_run;
    double tol;
    int64_t seed;
    /* where to */
    const char *output, *format, *png, *svg, *pdf, *picture;
    int force, no_hash;
    /* how it is drawn */
    const char *figure, *cmap, *title;
    int theme; /* HEEDI_THEME_... */
    double vmin, vmax, robust, width, min_font;
    int log, drop_first, drop_special, show_space;
} heedi_args;

typedef struct heedi_flag {
    char key;            /* short form, or '\0' */
    const char *name;    /* long form, kebab-case */
    const char *aliases; /* hidden ones, separated by spaces, or NULL */
    heedi_kind kind;
    const char *arg;   /* how help shows the value */
    const char *words; /* of HEEDI_WORD: "left|right" */
    double min, max;   /* of HEEDI_INTEGER, HEEDI_NUMBER and list items */
    int sets;          /* a command with one of them accepts the option */
    size_t offset;     /* into heedi_args */
    const char *help;  /* NULL: hidden */
} heedi_flag;

extern const heedi_flag heedi_cli_flags[]; /* ends at name == NULL */
extern const char *const heedi_cli_set_titles[];

struct heedi_cli;

void heedi_cli_args_init(heedi_args *a);
void heedi_cli_args_clear(heedi_args *a);

/* Read c->argv into c->args as c->command allows. HEED_EINVAL, HEED_ENOMEM. */
heed_status heedi_cli_args_parse(struct heedi_cli *c);

/* Store the text of one value; `name` is for messages. */
heed_status heedi_cli_value_read(struct heedi_cli *c, const heedi_flag *f,
                                 const char *name, const char *text);

/* An integer that is the whole of text; a finite number. */
bool heedi_cli_int_of(const char *text, int64_t *out);
bool heedi_cli_number_of(const char *text, double *out);

/* Equal but for case and '-' against '_', over n bytes of b and all of a. */
bool heedi_cli_same_name(const char *a, const char *b, size_t n);

/* Whether name is one of a list with separator sep. */
bool heedi_cli_listed(const char *list, char sep, const char *name);

/* The best of several candidates for a mistyped word. Zero-initialise with the
 * word, offer candidates, read best (NULL: nothing is near). */
typedef struct heedi_near {
    const char *word, *best;
    int distance;
} heedi_near;
void heedi_cli_near_offer(heedi_near *n, const char *candidate);

#endif
