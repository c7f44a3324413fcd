/* figure.h - pictures of results. */
#ifndef HEED_FIGURE_H
#define HEED_FIGURE_H

#include <heed/result.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct heed_figure_info {
    const char *name;    /* "token_heat": also the name of its source file */
    const char *draws;   /* the array it needs: "relevance", "ledger/op_name" */
    const char *summary; /* one line */
    int several;         /* 1: draws several explanations side by side */
    int all_targets;     /* 1: one picture of all targets, not one for each */
    const char *keep;    /* what `keep` of a request must name for that array;
                            NULL: nothing */
} heed_figure_info;

/* i-th figure of this build in name order, or NULL if i is out of range.
 * Static storage. Cannot fail. */
HEED_API const heed_figure_info *heed_figure_at(int i);

/* Whether a group of r has what a figure draws. Cannot fail. */
HEED_API int heed_figure_fits(const heed_figure_info *figure,
                              const heed_result *r, const char *group);

/* Zero-initialise and set by name; zero means the default. */
typedef struct heed_figure_options {
    const char *cmap;  /* NULL: "rdbu_r" for signed values, "blues" for
                          unsigned ones and for attention */
    double vmin, vmax; /* both 0: from the values, symmetric around zero if
                          they are signed */
    double robust;     /* percentile of |x| that the range covers; 0: 100, or
                          what the figure says it covers */
    double width;      /* of the page, in px at 96 dpi; 0: 760 */
    double min_font;   /* px; 0: 9 */
    double scale;      /* pixels for each px of a PNG; 0: 2 */
    int drop_first, drop_special; /* 1: not counted in the range */
    int show_space;               /* 1: spaces drawn as ␣ */
    int log;                      /* 1: logarithmic range (attention) */
    int force;                    /* 1: replace an existing file */
    int64_t layer, head;          /* of an attention figure: the model's own
                                     numbers */
    int64_t target;               /* which of several targets */
    const char *title;            /* NULL: made from the target */
} heed_figure_options;

/* Draw a figure of r into a .png, .svg or .pdf file, which appears whole or
 * not at all.
 *   group  whose arrays are drawn: "explanations/attn_lrp", "attention"
 * Returns HEED_EINVAL (no such figure, colour map or array; values that do not
 * fit), HEED_ENOTSUP (extension), HEED_EOUTPUT, HEED_ENOMEM. */
HEED_API HEED_NODISCARD heed_status heed_figure_draw(
    heed_ctx *ctx, const char *figure, const char *path, const heed_result *r,
    const char *group, const heed_figure_options *o);

/* One of several explanations that a figure draws. */
typedef struct heed_figure_part {
    const heed_result *r;
    const char *group;
    int64_t target; /* which of several; o->target does not count */
} heed_figure_part;

/* The same of n_parts >= 1 explanations, in one picture; more than one only
 * with a figure that draws several. */
HEED_API HEED_NODISCARD heed_status
heed_figure_draw_parts(heed_ctx *ctx, const char *figure, const char *path,
                       const heed_figure_part *part, int64_t n_parts,
                       const heed_figure_options *o);

/* Maps too large to be kept, for the figure `grid`. */
typedef struct heed_thumbnails {
    heed_result *result;
    const heed_figure_options *options; /* of the figure; NULL: all defaults */
} heed_thumbnails;

/* A sink that fills t->result as heed_result_sink() does, but an array
 * `attention` of several layers or heads with the size that its maps have in
 * the picture: each cell is the greatest by size of a rectangle of weights, as
 * they come. So memory does not grow with the length of the sequence: at most
 * one value for each px of the picture. The result then has an attribute
 * `pooled` in its group (queries, keys, queries and keys of a cell). Valid as
 * long as t. Besides what other sinks return: HEED_EINVAL if maps would be too
 * small to be seen, before the first is written; HEED_ENUMERIC if a weight is
 * not finite. */
HEED_API heed_sink heed_thumbnails_sink(heed_thumbnails *t);

/* The token heat as text for a terminal of `columns` columns, with the escape
 * codes of 24-bit colour and a colour bar.
 *   out  NUL-terminated, owned by the caller: heed_text_free() */
HEED_API HEED_NODISCARD heed_status heed_terminal_heat(
    char **out, heed_ctx *ctx, const heed_result *r, const char *group,
    int columns, const heed_figure_options *o);
HEED_API void heed_text_free(heed_ctx *ctx, char *text);

/* Name of the i-th colour map, or NULL if i is out of range. Static storage.
 * Cannot fail. */
HEED_API const char *heed_cmap_at(int i);
/* Whether a colour map has this name, in upper or lower case. */
HEED_API int heed_cmap_known(const char *name);

#ifdef __cplusplus
}
#endif
#endif
