/* maps.h - attention maps: matrices of mixing operations and of the blocks
 * around them, of every head or channel or reduced over them, a few rows at a
 * time to the sink, so that memory is a panel of rows, whatever the length. */
#ifndef HEEDI_MAPS_H
#define HEEDI_MAPS_H

#include "implicit.h"
#include "job.h"
#include "rounds.h"

/* Options that all methods of maps have. */
#define HEEDI_MAP_OPTIONS(O)                                               \
    O(kind, HEEDI_MAP_KINDS, "auto", 0, 0,                                 \
      "softmax of attention layers; core or block (auto) of the others")   \
    O(skip, HEEDI_MAP_SKIPS, "separate", 0, 0,                             \
      "what a block adds beside its matrix: in the matrix with fold")      \
    O(variant, "exact|raw", "exact", 0, 0,                                 \
      "core of SSD and RG-LRU: with the sizes of steps, or without them, " \
      "which are then the operand's")

/* Words of the option `kind`, in this order. */
#define HEEDI_MAP_KINDS "auto|softmax|core|block|implicit"
typedef enum heedi_map_kind {
    HEEDI_MAP_AUTO, /* softmax of attention layers, block of the others */
    HEEDI_MAP_SOFTMAX,
    HEEDI_MAP_CORE,
    HEEDI_MAP_BLOCK,
    HEEDI_MAP_IMPLICIT /* core */
} heedi_map_kind;

/* What a block adds that is no matrix times its operand: beside it, in the
 * matrix where that is possible, or left out. */
#define HEEDI_MAP_SKIPS "separate|fold|drop"
typedef enum heedi_map_skip {
    HEEDI_SKIP_SEPARATE,
    HEEDI_SKIP_FOLD,
    HEEDI_SKIP_DROP
} heedi_map_skip;

typedef struct heedi_maps_how {
    heedi_map_kind kind;
    heedi_map_skip skip;
    bool raw;      /* without the sizes of steps */
    bool weighted; /* by the gradient of the matrix's output and its operand */
    bool profile;  /* measures of rows in place of the rows */
    bool ratios;   /* distances are the mean over matrices of their own */
    int64_t needle_from, needle_to; /* to 0: none */
    double horizon;                 /* what a state has decayed to there */
    bool horizon_rows;              /* of every row that is made, too */
} heedi_maps_how;

/* Of one layer and input. */
enum { HEEDI_N_PROFILE = 8 };
typedef struct heedi_profile {
    double *share, *rows; /* (T): by lag */
    double *row;          /* (., T): of every row */
    double *count;        /* (T): matrices with mass */
    double *layer;        /* (inputs, HEEDI_N_PROFILE, layers) */
} heedi_profile;

/* Of one layer and input, but for `layer`. */
enum { HEEDI_N_HORIZON = 4 };
typedef struct heedi_horizon {
    int64_t *reach;   /* (heads, states): of the last row */
    int64_t *count;   /* (T): states by reach */
    int64_t *row;     /* (threads, T): sums over states, of every row */
    double *rates;    /* of each thread: of some steps, or of all */
    double *out;      /* (2, heads), or (T) */
    double *layer;    /* (inputs, HEEDI_N_HORIZON, layers) */
    int64_t heads;    /* where all layers that decay have as many, else 0 */
    int64_t per_head; /* the most states of a head */
    int64_t most;     /* states of a layer */
} heedi_horizon;

/* Rows that are made together, a panel, end at multiples of its height: the
 * greatest that memory has room for, of the last HEEDI_MAP_HEIGHTS powers of 2
 * up to HEEDI_MAP_TALLEST. Bits do not depend on it: the least is what folds
 * and rows are cut at. */
enum { HEEDI_MAP_TALLEST = 256, HEEDI_MAP_HEIGHTS = 6 };
_Static_assert(HEEDI_MAP_TALLEST >> (HEEDI_MAP_HEIGHTS - 1) == HEEDI_FOLD_ROWS,
               "the lowest panel is a tile of a fold");

typedef struct heedi_map_layer {
    int64_t layer; /* the model's number */
    bool softmax, block, by_channel, raw;
    int64_t count;         /* matrices: heads or columns */
    int64_t cols;          /* of the output */
    int64_t heads, states; /* of the mixing operation; 0: nothing decays */
    size_t bytes;          /* of a block's arrays */
    size_t beside;         /* of what heedi_maps_rest() needs */
    size_t weights;        /* of left and post where they are weighted */
    size_t scratch[HEEDI_MAP_HEIGHTS]; /* of folds, of checks of rows */
    const char *mixer, *direction, *operand, *output;
} heedi_map_layer;

typedef struct heedi_maps {
    heedi_job *j;
    heedi_maps_how how;
    heedi_map_layer *layer;
    int64_t n_layers;
    int64_t *without; /* layers that have no such matrix, if all were asked
                         for */
    int64_t n_without;
    heedi_reduction reduce;
    const char *reduce_name;
    bool by_channel;      /* index counts channels */
    bool mixed;           /* layers of more than one kind */
    const int64_t *index; /* heads or channels, the model's numbers */
    int64_t n_index;      /* how many count; of the first layer, if all do */
    bool some;            /* not all of them */
    int64_t **row;        /* query rows of each input */
    int64_t *n_rows;
    int64_t longest, widest; /* tokens; columns */
    int height;              /* of panels: HEEDI_MAP_TALLEST >> height */

    /* Of the run. */
    heedi_rounds *rounds; /* weighted */
    heedi_implicit m;
    heedi_fold fold;
    void *arrays, *scratch;
    heed_real *weights; /* left, post */
    heed_real *panel;   /* (rows, T) */
    void *beside;
    bool *pick;
    heedi_profile profile;
    heedi_horizon horizon;
    double *error; /* (inputs, layers) */
    int64_t *checked;
    heed_status status; /* of a watcher */
} heedi_maps;

/* For a method's `check`: choose layers, heads, rows, and add to j->o what the
 * run will need. HEED_EINVAL, HEED_ENOTSUP. */
heed_status heedi_maps_check(heedi_job *j, const heedi_maps_how *how);

/* For its `settled`: the height of panels, and what they need. HEED_ENOMEM if
 * there is no room for the lowest. */
heed_status heedi_maps_settled(heedi_job *j);

/* Rows of a panel of this height that the rows asked for have at most. */
int64_t heedi_maps_panel(const heedi_maps *m, int height);
/* Of n rows, how many are of the first one's panel and follow each other. */
int64_t heedi_maps_together(const int64_t *row, int64_t n, int height);

/* The whole of a method. */
heed_status heedi_maps_run(heedi_job *j);

/* maps_rest.c: `skip` and `bias`, what the matrix of a layer leaves over, of
 * the rows of one input, reduced as the matrix is. */
size_t heedi_maps_rest_bytes(const heedi_implicit *m, const heedi_batch *b,
                             int threads);
heed_status heedi_maps_rest(const heedi_maps *m, const heedi_run *run,
                            int64_t input, int64_t layer);
/* Are there such vectors in the file? */
bool heedi_maps_has_rest(const heedi_maps *m);

/* maps_file.c: what stands before and after the maps of an input. */
heed_status heedi_maps_begin(const heedi_maps *m, int64_t input);
heed_status heedi_maps_end(const heedi_maps *m, int64_t input);

/* maps_profile.c: in place of maps, how far their rows reach. */
size_t heedi_maps_profile_bytes(const heedi_maps *m);
heed_status heedi_maps_profile_alloc(heedi_maps *m);
heed_status heedi_maps_profile_define(const heedi_maps *m, int64_t input);
void heedi_maps_profile_start(heedi_maps *m);
/* n rows from number `at` on, in m->panel: of the reduced matrix, or of one. */
void heedi_maps_profile_rows(heedi_maps *m, int64_t input, int64_t at,
                             int64_t n);
void heedi_maps_profile_one(heedi_maps *m, int64_t input, int64_t at,
                            int64_t n);
heed_status heedi_maps_profile_end(heedi_maps *m, int64_t input, int64_t layer);
heed_status heedi_maps_profile_attr(const heedi_maps *m, int64_t input);

/* maps_horizon.c: beside these measures, how far back the states of a layer's
 * mixing operation hold; nothing where no layer has any. */
size_t heedi_maps_horizon_bytes(const heedi_maps *m);
heed_status heedi_maps_horizon_alloc(heedi_maps *m);
heed_status heedi_maps_horizon_define(const heedi_maps *m, int64_t input);
heed_status heedi_maps_horizon(heedi_maps *m, const heedi_run *run,
                               int64_t input, int64_t layer);
heed_status heedi_maps_horizon_attr(const heedi_maps *m, int64_t input);

/* Reductions of matrices over heads or channels. */
typedef struct heedi_map_fold {
    heedi_fold_kind fold;
    bool mean, root;
} heedi_map_fold;
extern const heedi_map_fold heedi_map_folds[HEEDI_AUTO + 1];

/* Are there heads or channels to tell apart? */
static inline bool heedi_maps_indexed(const heedi_maps *m)
{
    return m->reduce == HEEDI_NONE;
}

#endif
