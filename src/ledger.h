/* ledger.h - the account of a backward pass: what every operation received,
 * passed on, and deposited in which named entry.
 *
 * For every operation  <y, g_y> = sum over inputs <x, g_x> + deposits,  and
 * for the run  <seed, logits> = sum of leaf relevance + all deposits. Every
 * deposit is computed by a closed form of its own from what the operation
 * saved, never as the difference that would make the sum right. */
#ifndef HEEDI_LEDGER_H
#define HEEDI_LEDGER_H

#include <heed/ctx.h>
#include <stdbool.h>

#include "arena.h"

/* The one list of entries: name, what it is. */
#define HEEDI_ENTRY_LIST(X)                                    \
    X(bias, "linear and convolution biases, <b, g>")           \
    X(beta, "shifts of layer normalisation, <beta, g>")        \
    X(kappa, "attention softmax under the AttnLRP rule")       \
    X(kappa_router, "router softmax of a mixture of experts")  \
    X(pos_bias, "additive score biases that are not read out") \
    X(softcap, "soft-capping with its plain derivative")       \
    X(gate, "gates propagated with their plain derivative")    \
    X(unread, "additive embeddings that are not read out")     \
    X(prefix, "learned tokens, <c, g>: their relevance")       \
    X(leak, "shares that a parity option drops")               \
    X(eps, "stabilisers of the relevance form")                \
    X(position, "positions that are read out: relevance")      \
    X(type, "token types that are read out: relevance")        \
    X(target, "target value less <seed, logits>")              \
    X(baseline, "value of the target at the baseline")

typedef enum heedi_entry {
#define X(name, text) HEEDI_ENTRY_##name,
    HEEDI_ENTRY_LIST(X)
#undef X
        HEEDI_N_ENTRIES
} heedi_entry;

extern const char *const heedi_entry_name[HEEDI_N_ENTRIES];

/* Doubles by (sequence, operation, entry), and per-operation sums. */
typedef struct heedi_ledger {
    int64_t n_seq;
    int n_ops;
    const char **op_name; /* by id */
    double *sink;         /* (n_seq, n_ops, HEEDI_N_ENTRIES) */
    bool detail;          /* in and out are kept, too */
    double *in, *out;     /* (n_seq, n_ops): <y, g_y>, sum of <x, g_x> */
    double *column;       /* n_ops, for whoever gathers one entry */
} heedi_ledger;

heed_status heedi_ledger_init(heedi_ledger *l, heedi_arena *mem, int64_t n_seq,
                              int n_ops, bool detail);
void heedi_ledger_zero(heedi_ledger *l);

/* Not thread-safe: called after the parallel part, in a fixed order. */
static inline void heedi_deposit(heedi_ledger *l, int64_t seq, int op,
                                 heedi_entry e, double value)
{
    if (l)
        l->sink[(seq * l->n_ops + op) * HEEDI_N_ENTRIES + (int)e] += value;
}

/* Entries that are relevance of something rather than absorbed. */
static inline bool heedi_entry_is_read(heedi_entry e)
{
    return e == HEEDI_ENTRY_position || e == HEEDI_ENTRY_type ||
           e == HEEDI_ENTRY_prefix;
}

/* Sum of one entry over all operations, whether any is not 0, the sum of all
 * entries, and of those that are not read out: what is absorbed. */
double heedi_ledger_entry(const heedi_ledger *l, int64_t seq, heedi_entry e);
bool heedi_ledger_has(const heedi_ledger *l, int64_t seq, heedi_entry e);
double heedi_ledger_total(const heedi_ledger *l, int64_t seq);
double heedi_ledger_absorbed(const heedi_ledger *l, int64_t seq);

#endif
