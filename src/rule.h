/* rule.h - rules of relevance that have a name, for --rule and for methods.
 *
 * A rule is one `const heedi_rule_kind` in one file, src/rule/<name>.c. */
#ifndef HEEDI_RULE_H
#define HEEDI_RULE_H

#include <heed/method.h>

#include "tape.h"

typedef struct heedi_rule_kind {
    heed_rule_info info;
    bool of_method; /* only a method can use it: --rule refuses it */
    const heedi_op *const *ops; /* a row for each of these in place of row.op;
                                   ends at NULL; or NULL */
    heedi_rule row; /* op, back, needs, stops, scratch; the rest is filled in */
} heedi_rule_kind;

/* A row of a method's table: a kind on a pattern of names (NULL: all), its
 * numbers those of the method's options. */
typedef struct heedi_method_rule {
    const heedi_rule_kind *kind;
    const char *glob;
    int opt[HEED_RULE_ARGS]; /* 1 + index of the option; 0: the default */
} heedi_method_rule;

/* NULL: there is none of that name that --rule may use. */
const heedi_rule_kind *heedi_rule_named(const char *name);

/* The row of a kind on a pattern of names (borrowed; NULL: all), with its
 * default numbers. */
heedi_rule heedi_rule_row(const heedi_rule_kind *k, const char *glob);

/* "GLOB=RULE[:VALUE[:VALUE]]", as --rule takes it; what a row refers to is in
 * mem. HEED_EINVAL names what is wrong. */
heed_status heedi_rule_parse(heedi_rule *out, heed_ctx *ctx, heedi_arena *mem,
                             const char *text);

#define ROW(name) extern const heedi_rule_kind heedi_rule_##name;
#include "rules.inc"
#undef ROW

#endif
