/* result.h - named arrays with named dimensions: what every method makes,
 * every format stores and every figure draws.
 *
 * A method writes through a heed_sink and does not know what is behind it: a
 * heed_result in memory, or a file that takes large arrays slab by slab.
 * Groups, names and attributes are those of docs/formats.md. */
#ifndef HEED_RESULT_H
#define HEED_RESULT_H

#include <heed/ctx.h>
#include <heed/real.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { HEED_MAX_DIM = 4 };

typedef enum heed_type {
    HEED_F32,
    HEED_F64,
    HEED_I32,
    HEED_I64,
    HEED_U8,
    HEED_STR /* const char *, valid UTF-8 */
} heed_type;

/* The type of a heed_real. */
#define HEED_TYPE_REAL (sizeof(heed_real) == 4 ? HEED_F32 : HEED_F64)

/* Bytes of one value; of HEED_STR, of a pointer. Cannot fail. */
HEED_API size_t heed_type_size(heed_type t);

/* An array. A one-dimensional array that has the name of its dimension, in
 * group "", holds the coordinates of that dimension; without one they are
 * 0, 1, 2, ... */
typedef struct heed_var {
    const char *group; /* "explanations/attn_lrp"; "" for the root */
    const char *name;  /* "relevance" */
    heed_type type;
    int nd;                        /* 0: one value */
    const char *dim[HEED_MAX_DIM]; /* "layer", "pos", ...; slowest first */
    int64_t len[HEED_MAX_DIM];     /* each >= 1 */
    const char *units, *long_name; /* or NULL */
} heed_var;

/* The value of an attribute: n values, or one if n == -1. */
typedef struct heed_attr {
    heed_type type;
    int64_t n;
    const void *data;
} heed_attr;

/* All strings and data are borrowed for the call. Each returns HEED_EOUTPUT or
 * HEED_ENOMEM on failure. */
typedef struct heed_sink {
    void *ud;
    /* Once for each array, before it is written. */
    heed_status (*define)(void *ud, heed_ctx *ctx, const heed_var *var);
    /* A slab of a defined array: start and count for each dimension, data
     * row-major. */
    heed_status (*write)(void *ud, heed_ctx *ctx, const char *group,
                         const char *name, const int64_t *start,
                         const int64_t *count, const void *data);
    /* An attribute of a group ("" for the root). A second one of the same
     * name replaces the first. */
    heed_status (*attr)(void *ud, heed_ctx *ctx, const char *group,
                        const char *key, heed_attr value);
} heed_sink;

/* Define and write in one step. */
HEED_API HEED_NODISCARD heed_status heed_put(const heed_sink *s, heed_ctx *ctx,
                                             const heed_var *var,
                                             const void *data);
HEED_API HEED_NODISCARD heed_status heed_put_str(const heed_sink *s,
                                                 heed_ctx *ctx,
                                                 const char *group,
                                                 const char *key,
                                                 const char *value);
HEED_API HEED_NODISCARD heed_status heed_put_int(const heed_sink *s,
                                                 heed_ctx *ctx,
                                                 const char *group,
                                                 const char *key,
                                                 int64_t value);
HEED_API HEED_NODISCARD heed_status heed_put_num(const heed_sink *s,
                                                 heed_ctx *ctx,
                                                 const char *group,
                                                 const char *key, double value);

/* A result in memory. */
typedef struct heed_result heed_result;

HEED_API HEED_NODISCARD heed_status heed_result_new(heed_result **out,
                                                    heed_ctx *ctx);
/* NULL is allowed. */
HEED_API void heed_result_free(heed_result *r);

/* The sink that fills r; valid as long as r. Cannot fail. */
HEED_API heed_sink heed_result_sink(heed_result *r);

typedef struct heed_array {
    heed_var var;
    const void *data; /* row-major; of HEED_STR: const char *const * */
} heed_array;

/* The array of that name, or the i-th one in order of definition; NULL if
 * there is none. Owned by r. Cannot fail. */
HEED_API const heed_array *heed_result_get(const heed_result *r,
                                           const char *group, const char *name);
HEED_API const heed_array *heed_result_at(const heed_result *r, int i);

/* The i-th attribute in order of definition, or the one of that name. Returns
 * NULL if there is none. Owned by r. Cannot fail. */
HEED_API const heed_attr *heed_result_attr_at(const heed_result *r, int i,
                                              const char **group,
                                              const char **key);
HEED_API const heed_attr *heed_result_attr(const heed_result *r,
                                           const char *group, const char *key);
/* The same as one number (NaN if there is none) or one string (NULL). */
HEED_API double heed_result_num(const heed_result *r, const char *group,
                                const char *key);
HEED_API const char *heed_result_str(const heed_result *r, const char *group,
                                     const char *key);

/* Everything in r, into another sink, in order of definition. */
HEED_API HEED_NODISCARD heed_status heed_result_replay(const heed_result *r,
                                                       heed_ctx *ctx,
                                                       const heed_sink *to);

#ifdef __cplusplus
}
#endif
#endif
