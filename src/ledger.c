#include "ledger.h"

#include <string.h>

const char *const heedi_entry_name[HEEDI_N_ENTRIES] = {
#define X(name, text) #name,
    HEEDI_ENTRY_LIST(X)
#undef X
};

heed_status heedi_ledger_init(heedi_ledger *l, heedi_arena *mem, int64_t n_seq,
                              int n_ops, bool detail)
{
    size_t n = (size_t)n_seq * (size_t)n_ops;
    *l = (heedi_ledger){.n_seq = n_seq, .n_ops = n_ops, .detail = detail};
    l->op_name = heedi_arena_alloc(mem, (size_t)n_ops * sizeof *l->op_name);
    l->sink = heedi_arena_alloc(mem, n * HEEDI_N_ENTRIES * sizeof *l->sink);
    l->in = heedi_arena_alloc(mem, n * sizeof *l->in);
    l->out = heedi_arena_alloc(mem, n * sizeof *l->out);
    l->column = heedi_arena_alloc(mem, (size_t)n_ops * sizeof *l->column);
    return l->op_name && l->sink && l->in && l->out && l->column ? HEED_OK
                                                                 : HEED_ENOMEM;
}

void heedi_ledger_zero(heedi_ledger *l)
{
    size_t n = (size_t)l->n_seq * (size_t)l->n_ops;
    memset(l->sink, 0, n * HEEDI_N_ENTRIES * sizeof *l->sink);
    memset(l->in, 0, n * sizeof *l->in);
    memset(l->out, 0, n * sizeof *l->out);
}

double heedi_ledger_entry(const heedi_ledger *l, int64_t seq, heedi_entry e)
{
    double sum = 0;
    for (int k = 0; k < l->n_ops; k++)
        sum += l->sink[(seq * l->n_ops + k) * HEEDI_N_ENTRIES + (int)e];
    return sum;
}

double heedi_ledger_total(const heedi_ledger *l, int64_t seq)
{
    double sum = 0;
    for (int e = 0; e < HEEDI_N_ENTRIES; e++)
        if (!heedi_entry_is_read((heedi_entry)e))
            sum += heedi_ledger_entry(l, seq, (heedi_entry)e);
    return sum;
}

double heedi_ledger_deposits(const heedi_ledger *l, int64_t seq)
{
    double sum = 0;
    for (int e = 0; e < HEEDI_N_ENTRIES; e++)
        sum += heedi_ledger_entry(l, seq, (heedi_entry)e);
    return sum;
}

bool heedi_ledger_has(const heedi_ledger *l, int64_t seq, heedi_entry e)
{
    for (int k = 0; k < l->n_ops; k++)
        if (l->sink[(seq * l->n_ops + k) * HEEDI_N_ENTRIES + (int)e] != 0)
            return true;
    return false;
}
