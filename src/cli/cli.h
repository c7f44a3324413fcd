/* cli.h - a subcommand is one `const heedi_command` in src/cli/<name>.c; files
 * named cli_*.c are what subcommands share. */
#ifndef HEEDI_CLI_H
#define HEEDI_CLI_H

#include <heed/heed.h>
#include <stdbool.h>
#include <stdio.h>

#include "cli_args.h"

typedef struct heedi_cli heedi_cli;

typedef struct heedi_command {
    const char *name, *summary;
    const char *operand; /* as help shows it: "[NAME]"; "FILE...": takes
                            several; NULL: takes none */
    int sets;            /* of options that are accepted */

    /* Data goes to stdout, all else to stderr. On failure the sentence has
     * been left with heedi_cli_fail() or heedi_cli_lib(). */
    heed_status (*run)(heedi_cli *c);
} heedi_command;

extern const heedi_command *const heedi_commands[]; /* ends at NULL */

/* NULL, with a sentence, if there is none. */
const heedi_command *heedi_cli_command_find(heedi_cli *c, const char *name);

/* One run of the command. */
struct heedi_cli {
    int argc;
    char **argv; /* as main() got it */
    const heedi_command *command;
    heedi_args args;
    heed_ctx *ctx;
    heed_model *model;
    heed_tokenizer *tokenizer;    /* NULL: none, for this reason: */
    heed_status tokenizer_status; /* HEED_OK: not tried */
    char tokenizer_why[1024];
    char image_sha256[65]; /* of --image, once it has been read */
    char hash[3][65];      /* weights, configuration, tokenizer */
    char dataset_hash[65];
    bool hashed;
    bool printed; /* a document is on stdout */
    char why[1024];
};

/* ---- failing ---- */

/* Leave "WHAT: WHY" and return st. */
heed_status heedi_cli_fail(heedi_cli *c, heed_status st, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for a failure of the library, whose sentence is the context's. */
heed_status heedi_cli_lib(heedi_cli *c, heed_status st);

#define HEEDI_TRY(expr)           \
    do {                          \
        heed_status st_ = (expr); \
        if (st_ != HEED_OK)       \
            return st_;           \
    } while (0)
#define HEEDI_LIB(c, expr)                \
    do {                                  \
        heed_status st_ = (expr);         \
        if (st_ != HEED_OK)               \
            return heedi_cli_lib(c, st_); \
    } while (0)

/* n items of the given size, zeroed; NULL, with a sentence. n may be 0. */
void *heedi_cli_calloc(heedi_cli *c, int64_t n, size_t size);

/* ---- stderr: cli_say.c ---- */
void heedi_cli_say(const heedi_cli *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void heedi_cli_warn(const heedi_cli *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void heedi_cli_listen(heedi_cli *c);
void heedi_cli_progress_end(void);
void heedi_cli_signals_catch(void);
/* No file that is opened later becomes stdin, stdout or stderr. */
void heedi_cli_streams_keep(void);
bool heedi_cli_interrupted(void);
/* The sentence of a failure, also as JSON if that was asked for. */
void heedi_cli_report(const heedi_cli *c, heed_status st);

/* ---- text: cli_text.c ---- */

/* Bytes of the character that starts at s, of which n are there; 0 if it is
 * none. */
int heedi_cli_utf8_size(const char *s, int64_t n);
/* Offset of the first byte that is no UTF-8, or -1. */
int64_t heedi_cli_utf8_bad(const char *s, int64_t n);
/* A whole file, "-" for stdin; out is NUL-terminated, free() it. HEED_EIO. */
heed_status heedi_cli_read_file(heedi_cli *c, const char *path, char **out,
                                int64_t *len);
/* With tab, newline and backslash escaped, control characters as \xNN. */
void heedi_cli_print_cell(FILE *f, const char *text);
/* A number with digits that read back, or "nan". */
void heedi_cli_print_number(FILE *f, double x, char end);
bool heedi_cli_stdout_is_terminal(void);
/* Whether stdout gets a picture in colour rather than a table. */
bool heedi_cli_color(const heedi_cli *c);
int heedi_cli_width(void);

#endif
