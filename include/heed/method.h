/* method.h - attribution methods and their options. */
#ifndef HEED_METHOD_H
#define HEED_METHOD_H

#include <heed/ctx.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An option of a method. The command line, the bounds checks and the
 * documentation are all made from this row. */
typedef struct heed_option {
    const char *name, *help;
    const char *type; /* "number", "integer", the accepted words separated by
                         '|': "gauss|riemann", or "text", which the method
                         itself understands; see `help` */
    const char *def;  /* default, as text */
    double min, max;  /* of numbers; both are allowed */
} heed_option;

/* The value of one option, as text: {"steps", "50"}. */
typedef struct heed_setting {
    const char *name, *value;
} heed_setting;

/* What a method is: everything a user, the command line and the docs need. */
typedef struct heed_method_info {
    const char *name;    /* "attn_lrp": also the name of its source file */
    const char *aliases; /* other accepted names, space-separated */
    const char *summary; /* one line */
    const char *cite;    /* "Author et al. Year, doi or arXiv id" */
    const char *reduce;  /* default reduction over the hidden dimension, or ""
                            where there is none: then none may be asked for */
    const heed_option *options; /* ends at name == NULL; NULL: none */
    int has_target;             /* 0: explains no particular output */
    int gives_maps;             /* 1: attention maps, no relevance of tokens */
    int is_signed;              /* 0: relevance is >= 0 by definition */
    int conserves;    /* 1: relevance, with what the ledger's entries absorb,
                         adds up to the target */
    int approximates; /* 1: it does so but for an error of the method, which is
                         an error of the run only beyond a given `tol` */
} heed_method_info;

enum { HEED_RULE_ARGS = 2 };

/* A rule of relevance that `--rule PATTERN=NAME:VALUE` puts on operations. */
typedef struct heed_rule_info {
    const char *name, *aliases; /* aliases are space-separated, or NULL */
    const char *formula;        /* one line */
    const char *on;             /* the operations that it is for */
    const char *cite;
    struct {
        const char *name; /* NULL: the rule has no more numbers */
        double def, min, max;
    } arg[HEED_RULE_ARGS];
} heed_rule_info;

/* i-th rule in name order, or NULL if i is out of range. Static storage. Cannot
 * fail. */
HEED_API const heed_rule_info *heed_rule_at(int i);

/* A rule that a method puts in place of an operation's own. */
typedef struct heed_method_rule {
    const char *op;      /* operations it is for */
    const char *pattern; /* of their names; NULL: all */
    const heed_rule_info *rule;
} heed_method_rule;

/* i-th row of a method's table, later ones win. Returns 0 if i is out of
 * range. Cannot fail. */
HEED_API int heed_method_rule_at(const heed_method_info *m, int i,
                                 heed_method_rule *out);

/* The rule of relevance that the i-th operation, in name order, has by itself;
 * NULL if i is out of range. *op: its name. Static storage. Cannot fail. */
HEED_API const char *heed_op_rule_at(int i, const char **op);

/* i-th method in name order, or NULL if i is out of range. Static storage.
 * Cannot fail. */
HEED_API const heed_method_info *heed_method_at(int i);

/* The method of that name or alias, case and '-' against '_' ignored, or
 * NULL. Static storage. Cannot fail. */
HEED_API const heed_method_info *heed_method_named(const char *name);

#ifdef __cplusplus
}
#endif
#endif
