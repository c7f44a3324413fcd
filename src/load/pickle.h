/* pickle.h - the part of Python's pickles that torch.save() writes of tensors.
 * Nothing is called and nothing is built but tuples, dictionaries and
 * descriptions of tensors; every other callable or opcode is refused by name.
 */
#ifndef HEEDI_PICKLE_H
#define HEEDI_PICKLE_H

#include "load.h"

typedef enum heedi_pickle_kind {
    HEEDI_P_MARK, /* on the stack only */
    HEEDI_P_NONE,
    HEEDI_P_BOOL,
    HEEDI_P_INT,
    HEEDI_P_FLOAT, /* its value is not kept */
    HEEDI_P_STR,
    HEEDI_P_TUPLE,
    HEEDI_P_LIST, /* its items are not kept: no tensor needs them */
    HEEDI_P_DICT,
    HEEDI_P_GLOBAL,
    HEEDI_P_STORAGE,
    HEEDI_P_TENSOR
} heedi_pickle_kind;

typedef struct heedi_pickled {
    heedi_pickle_kind kind;
    uint32_t
        n; /* items of a TUPLE, bytes of a STR; of a DICT 1: an OrderedDict */
    int64_t i; /* the number; the first byte of a STR; the first cell of a TUPLE
                  or DICT; the index of a GLOBAL, STORAGE or TENSOR */
} heedi_pickled;

/* Items of tuples lie in a row. A dictionary is a cell whose `next` is the last
 * key and whose value's i is the first key; a key's value is the next cell. */
typedef struct heedi_cell {
    heedi_pickled v;
    size_t next; /* cell of the next key; 0: none */
} heedi_cell;

typedef struct heedi_p_storage {
    const heedi_dtype *dtype;
    heedi_str key; /* its file in the archive */
    int64_t n;     /* numbers */
} heedi_p_storage;

typedef struct heedi_p_tensor {
    int64_t storage;
    heedi_pickled offset, dim, stride; /* an INT, two TUPLEs of anything */
    bool placed;                       /* for the caller */
} heedi_p_tensor;

typedef struct heedi_pickle {
    heed_ctx *ctx;
    const char *path; /* for messages */
    const unsigned char *p;
    size_t n, at;
    heedi_pickled *stack, *memo;
    heedi_cell *cell; /* the first is not used */
    heedi_p_storage *storage;
    heedi_p_tensor *tensor;
    size_t n_stack, n_memo, n_cells, n_storages, n_tensors;
    size_t cap_stack, cap_memo, cap_cells, cap_storages, cap_tensors;
    heedi_pickled root; /* what the pickle is of */
} heedi_pickle;

/* ---- pickle_ops.c ---- */

/* ctx, path, p and n are set, all else is 0. Memory is a multiple of n.
 * HEED_EFORMAT; HEED_ENOTSUP, naming the opcode or callable. Cleared by the
 * caller in any case. */
heed_status heedi_pickle_read(heedi_pickle *m);

/* ---- pickle.c ---- */
void heedi_pickle_clear(heedi_pickle *m);

/* "a tuple" */
const char *heedi_pickle_kind_name(heedi_pickle_kind k);

heedi_str heedi_pickle_str(const heedi_pickle *m, heedi_pickled v);

/* Cells of the keys of a dictionary, one after another; 0: none left. */
static inline size_t heedi_pickle_first(const heedi_pickle *m, heedi_pickled v)
{
    return (size_t)m->cell[v.i].v.i;
}

/* An empty dictionary; n more cells in a row. */
heed_status heedi_pickle_dict(heedi_pickle *m, bool ordered,
                              heedi_pickled *out);
heed_status heedi_pickle_cells(heedi_pickle *m, size_t n, size_t *first);
/* HEED_ENOTSUP if there are more items of some kind than any model has. */
heed_status heedi_pickle_limit(const heedi_pickle *m, size_t items);
/* HEED_EFORMAT, with the place. */
heed_status heedi_pickle_bad(const heedi_pickle *m, const char *why);
heed_status heedi_pickle_push(heedi_pickle *m, heedi_pickled v);
/* Of a value; HEED_EFORMAT if there is none above the last mark. */
heed_status heedi_pickle_pop(heedi_pickle *m, heedi_pickled *out);
/* The last n values, and with `mark` the mark below them, become a tuple. */
heed_status heedi_pickle_tuple(heedi_pickle *m, size_t n, bool mark);
/* The last n pairs of key and value go into a dictionary. */
heed_status heedi_pickle_items(heedi_pickle *m, size_t n, heedi_pickled dict);
/* The last value is remembered at a place of the memo. */
heed_status heedi_pickle_put(heedi_pickle *m, uint64_t at);

/* ---- pickle_call.c ---- */

/* A callable or type of storage by its name, or HEED_ENOTSUP. */
heed_status heedi_pickle_global(heedi_pickle *m, heedi_str module,
                                heedi_str name, heedi_pickled *out);
heed_status heedi_pickle_call(heedi_pickle *m, heedi_pickled f,
                              heedi_pickled args, heedi_pickled *out);
/* A persistent id: ('storage', type, key, place, numbers). */
heed_status heedi_pickle_storage(heedi_pickle *m, heedi_pickled id,
                                 heedi_pickled *out);

#endif
