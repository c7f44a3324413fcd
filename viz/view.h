/* view.h - an explanation as a reader sees it: pieces of text with values, and
 * the words around them. Shared by pictures and the terminal. */
#ifndef HEEDI_VIEW_H
#define HEEDI_VIEW_H

#include <heed/figure.h>
#include <stdbool.h>

#include "arena.h"
#include "color.h"
#include "ctx.h"

typedef enum heedi_piece_kind {
    HEEDI_TOKEN, /* text of the input */
    HEEDI_CHIP,  /* a token without text there: special, or known by its id */
    HEEDI_PLAIN, /* text of the input that no token covers */
    HEEDI_TARGET /* what is explained, which is not in the text */
} heedi_piece_kind;

/* Tokens that are parts of one character are one piece, with their sum. */
typedef struct heedi_piece {
    heedi_piece_kind kind;
    const char *text;    /* to be drawn: a newline is "⏎\n" */
    int64_t first, last; /* positions of its tokens; -1: none */
    double value;
    bool special, drop; /* drop: not counted in the range */
    bool is_target;     /* the explained token, which is in the text */
} heedi_piece;

typedef struct heedi_view {
    heed_ctx *ctx;
    heedi_arena arena;
    heedi_piece *piece;
    int64_t n, n_tokens;
    int64_t target; /* which of several */
    const heed_result *r;
    const char *group;
    bool is_signed;
    double low, high; /* the range of colours; low = -high if signed */
    const heedi_cmap *cmap;
    const char *target_text, *foil_text; /* cleaned, or NULL */
} heedi_view;

/* HEED_EINVAL: a result of many inputs (heed_corpus_add()), which cannot be
 * drawn as if they were one. */
heed_status heedi_view_one(heed_ctx *ctx, const heed_result *r);

/* HEED_EINVAL: no such array, lengths that do not fit, no such colour map or
 * target; HEED_ENUMERIC: a value is not finite. Clear it in any case. */
heed_status heedi_view_init(heedi_view *v, heed_ctx *ctx, const heed_result *r,
                            const char *group, const heed_figure_options *o);
void heedi_view_clear(heedi_view *v);

/* Values with or without a sign, and the colour map of that. */
heed_status heedi_view_sign(heedi_view *v, bool is_signed,
                            const heed_figure_options *o);

/* Join piece i + 1 to piece i, with the sum of their values. */
heed_status heedi_view_join(heedi_view *v, int64_t i);

/* Set the range from the values that count. */
heed_status heedi_view_range(heedi_view *v, const heed_figure_options *o);

heedi_rgb heedi_view_color(const heedi_view *v, double x);
/* Beyond the range, or not counted in it: outlined and listed. */
bool heedi_view_outside(const heedi_view *v, const heedi_piece *p);

/* Attributes of one target: those of several are arrays. */
double heedi_view_num(const heedi_view *v, const char *key);
const char *heedi_view_str(const heedi_view *v, const char *key);

/* Captions, in the arena; NULL if there is no memory.
 *   title     the question; `given` if that is not NULL
 *   source    method and model
 *   measure   target value, number of tokens
 *   subtitle  source and measure
 *   target    what is explained: "“Poland” − “France”"
 *   unit      of relevance: "logit difference"
 *   low, high what the ends of the colour bar mean
 *   account   target = tokens + absorbed; "" if there is none
 *   residual  "" unless it is beyond its tolerance */
const char *heedi_view_title(heedi_view *v, const char *given);
const char *heedi_view_source(heedi_view *v);
const char *heedi_view_measure(heedi_view *v);
const char *heedi_view_subtitle(heedi_view *v);
const char *heedi_view_target(heedi_view *v);
const char *heedi_view_unit(heedi_view *v);
const char *heedi_view_low(heedi_view *v);
const char *heedi_view_high(heedi_view *v);
const char *heedi_view_account(heedi_view *v);
const char *heedi_view_residual(heedi_view *v);
/* Pieces outside the range with their values; "" if there are none. */
const char *heedi_view_outliers(heedi_view *v);

/* What the range covers if that is not all: "range: 99.5 % of |values|, the
 * greatest 3.73"; else "". */
const char *heedi_view_covers(heedi_view *v, const heed_figure_options *o,
                              double most);
/* A piece on one line, as heedi_label(). */
const char *heedi_piece_label(heedi_view *v, const heedi_piece *p);

/* "+3.73", "−0.48", "0.0012", "0"; 2 or 3 digits, in `buf`. */
enum { HEEDI_NUMBER = 32 };
const char *heedi_number_text(char buf[HEEDI_NUMBER], double x, bool sign);

/* The number at a line of a grid, without more digits than it has: "+0.5". */
const char *heedi_tick_text(char buf[HEEDI_NUMBER], double x);
/* "tokens +1.64", in the arena. */
const char *heedi_named_number(heedi_view *v, const char *name, double x);

/* "SmolLM2-135M-Instruct (Q4_K)", in the arena. */
const char *heedi_model_text(heedi_arena *a, const heed_result *r);

/* Text as it is drawn: "⏎" before each newline, "⇥" for a tab, pictures of
 * control characters, "␣" for spaces if asked for. In the arena, or NULL. */
const char *heedi_display(heedi_arena *a, const char *s, size_t n, bool space);

/* A token as a label: on one line, without the space before a word; a lone
 * space as "␣". In the arena, or NULL. */
const char *heedi_label(heedi_arena *a, const char *s);

/* A text that stays in its place in a sentence, whichever way it runs. */
const char *heedi_isolated(heedi_arena *a, const char *s);

/* Printed into the arena; NULL, with a message, if there is no memory. */
const char *heedi_arena_print(heedi_arena *a, const char *fmt, ...)
    HEEDI_PRINTF(2, 3);

#endif
