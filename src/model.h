/* model.h - a loaded model, and what a family of models is.
 *
 * A family is one `const heedi_family` in src/model/<name>.c: the tensors it
 * needs, the keys it reads, and how a block is built from operations. */
#ifndef HEEDI_MODEL_H
#define HEEDI_MODEL_H

#include <heed/model.h>

#include "args.h"
#include "checkpoint.h"
#include "tape.h"

/* A tensor of a checkpoint. shape: dimension letters, slowest first, those
 * that stand together multiply: "HD,C". A vector ("C") is decoded when the
 * model is loaded, a matrix stays a view. */
typedef struct heedi_param {
    const char *hf, *gguf; /* %d: the layer; NULL: not in that format */
    const char *shape;
    bool layered, optional;
} heedi_param;

/* A family writes its tensors once, as PARAMS(P); these expand the list to
 * indices and to the table, so the two cannot disagree. */
#define HEEDI_PARAM_INDEX(id, hf, gguf, shape, layered, optional) P_##id,
#define HEEDI_PARAM_ROW(id, hf, gguf, shape, layered, optional) \
    {hf, gguf, shape, layered, optional},

/* A key of the configuration, in either format, and the letter it sets. */
typedef struct heedi_key {
    char letter;
    const char *hf, *gguf; /* gguf: after "ARCH."; several: space-separated */
    int64_t def;           /* -1: must be given; 0: set by the family */
} heedi_key;

/* Rules that were published for models of a family, for a method to choose by
 * name: rows as --rule takes them. */
typedef struct heedi_composite {
    const char *name;
    const char *const *rows; /* ends at NULL */
} heedi_composite;

/* Another default of a method's option for models of a family. */
typedef struct heedi_preference {
    const char *method, *option, *value;
} heedi_preference;

enum { HEEDI_MAX_ROPE = 2 };

typedef struct heedi_family {
    heed_family_info info;
    const char *gguf_if;       /* a key, after "ARCH.", that is true in its GGUF
                                  files and in no others of the architecture;
                                  NULL: the rest is of this family */
    const char *part;          /* model_type of a config.json of these models
                                  alone; in one of type info.name, of larger
                                  models that they are a part of, their keys
                                  are in "text_config". NULL: info.name is
                                  theirs alone */
    const char *prefix;        /* that base-model checkpoints lack: "model." */
    const heedi_param *params; /* ends at shape == NULL */
    const heedi_key *keys;     /* ends at letter == 0 */
    bool gamma_beta;           /* old names of LayerNorm's weight and bias */
    const char *const *ignored; /* globs of tensors that are no part of the
                                   mathematics, beside the buffers of all
                                   families (params.c); ends at NULL; or NULL */
    const heedi_composite *composites; /* ends at name == NULL; or NULL */
    const heedi_preference *prefers;   /* ends at method == NULL; or NULL */
    size_t size;                       /* of its own struct */

    /* Read the rest of the configuration into m->impl; dimensions by letter
     * are there already, tensors are not. */
    heed_status (*configure)(heed_model *m);
    /* Tensors are there: check, finish, set m->head, m->head_bias. */
    heed_status (*finish)(heed_model *m);

    /* Block 0 makes the embedding (x is NULL), 1 ... L are the layers, L+1 the
     * final norm. Failures stick in the tape. */
    heedi_node *(*build)(const heed_model *m, int64_t block, heedi_tape *t,
                         heedi_node *x);
} heedi_family;

/* How a picture is cut; rows is 0 where a model reads text. */
typedef struct heedi_patch {
    int64_t rows, cols;              /* patches */
    int64_t channels, height, width; /* of a patch, in pixels */
    int64_t image_h, image_w;        /* in pixels */
    int64_t prefix;                  /* learned tokens before them */
} heedi_patch;

struct heed_model {
    heed_ctx *ctx;
    heedi_arena mem;
    heedi_checkpoint *ckpt;
    heed_model_info info;
    const heedi_family *family;
    bool gguf;
    bool part; /* the checkpoint is of a larger model: see heedi_family */
    int64_t dim[128]; /* by letter: 'C' width, 'L' layers, 'V' vocabulary ... */
    int64_t n_params;
    heedi_weight *weight; /* (L, n_params); name NULL: not there */
    heed_real **vector;   /* the same, of vectors */
    heedi_weight head;    /* (V, C) */
    const heed_real *head_bias;
    double softcap; /* logits are softcap tanh(z / softcap); 0: z itself */
    heedi_patch patch;
    bool fixed_context; /* positions beyond dim['X'] do not exist */
    bool bidirectional; /* a position sees later ones: no text is continued */
    int n_rope;
    heedi_rope rope[HEEDI_MAX_ROPE];
    void *impl;
};

/* Parameter p of a layer (0 where it is not layered); NULL if it is optional
 * and not there. */
const heedi_weight *heedi_matrix(const heed_model *m, int64_t layer, int p);
const heed_real *heedi_vector_of(const heed_model *m, int64_t layer, int p,
                                 int64_t *n);

/* y = W x + b by its own name; bias NULL: none. For families' `build`. */
heedi_node *heedi_linear(heedi_tape *t, const char *name, const heedi_weight *w,
                         const heed_real *bias, heedi_node *x);

/* Number of blocks: layers, and one before and after. */
static inline int64_t heedi_blocks(const heed_model *m)
{
    return m->dim['L'] + 2;
}

/* Build one block for a look at it, without values; names of a layer's
 * operations carry its number, as in a run. HEED_ENOMEM, and what fn says. */
typedef heed_status heedi_tape_fn(void *ud, const heedi_tape *t);
heed_status heedi_model_tape(heed_ctx *ctx, const heed_model *m, int64_t block,
                             heedi_tape_fn *fn, void *ud);

/* Is there an operation that the predicate takes? HEED_ENOMEM. */
typedef bool heedi_node_is(const heedi_node *y, const void *arg);
heed_status heedi_model_has(heed_ctx *ctx, const heed_model *m,
                            heedi_node_is *is, const void *arg, bool *found);

/* A key of the configuration, whatever the format; of several names, separated
 * by spaces, the first that is there; "" names none. */
heedi_value heedi_key_value(const heed_model *m, const char *hf,
                            const char *gguf);
/* A number, with a default where the key is not there; HEED_EFORMAT names a
 * value of another type or outside of [min, max]. */
heed_status heedi_key_number(heed_model *m, const char *hf, const char *gguf,
                             double def, double min, double max, double *out);
/* The same for a whole number. */
heed_status heedi_key_whole(heed_model *m, const char *hf, const char *gguf,
                            double def, double min, double max, int64_t *out);
heed_status heedi_key_bool(heed_model *m, const char *hf, bool def, bool *out);
/* An activation by its name, also to info.act; HEED_ENOTSUP names one that is
 * not known. */
heed_status heedi_key_act(heed_model *m, const char *hf, const char *def,
                          const heedi_activation **out);

/* An epsilon, def where the key is not there; from a GGUF file the decimal that
 * was meant. */
heed_status heedi_key_eps(heed_model *m, const char *hf, const char *gguf,
                          double def, double *out);
/* A cap of the logits, to m->softcap; null or 0: none. HEED_EFORMAT. */
heed_status heedi_key_softcap(heed_model *m, const char *hf, const char *gguf,
                              double def);
/* C = H D with as many key and value heads, set D and K; HEED_EFORMAT. */
heed_status heedi_even_heads(heed_model *m);
/* For a head of classes: names of the labels, their number, and whether each
 * is true or not by itself, into m->info; *n is the number. HEED_EFORMAT. */
heed_status heedi_labels_read(heed_model *m, int64_t *n);

/* The vocabulary's size where the configuration gives none: the tokens of a
 * GGUF file, else def. HEED_EFORMAT if that is 0. */
heed_status heedi_vocabulary_of(heed_model *m, int64_t def);

/* Set m->head: the embedding if `tied`, else the head, which must be there.
 * A head that is there and not used is told of. */
heed_status heedi_choose_head(heed_model *m, const heedi_weight *embedding,
                              const heedi_weight *head, bool tied);

/* A number that was stored as float32 but meant as a short decimal: the one of
 * at most six digits that rounds to the same float32 (9.99999975e-06 means
 * 1e-5), else x itself. */
double heedi_decimal(double x);

/* x with so many binary digits: 8 as bfloat16 has it, 11 as float16. What a
 * reference rounds a constant to. */
double heedi_rounded(double x, int digits);

/* Heads in groups: as many key and value heads as heads and a size of C/H where
 * neither is set; HEED_EFORMAT if they do not fit together. */
heed_status heedi_grouped_heads(heed_model *m);

/* How many dimensions of a head turn: all, or what a GGUF file says. Values
 * must be as long as keys: HEED_ENOTSUP. */
heed_status heedi_turning(heed_model *m, int64_t *rot);

extern const heedi_family *const heedi_families[]; /* NULL-terminated */

#endif
