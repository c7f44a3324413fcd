#include "cli_plan.h"

#define PARTS(P) \
    P(program)   \
    P(weights)   \
    P(activations) P(scratch) P(blas) P(results) P(peak) P(peak_min) P(peak_max)

const char *heedi_cli_bytes(char out[32], uint64_t n)
{
    static const char unit[] = " KMGTPE";
    double x = (double)n;
    int u = 0;
    for (; x >= 1000 && u < 6; u++)
        x /= 1024;
    if (u == 0)
        snprintf(out, 32, "%.0f", x);
    else
        snprintf(out, 32, x < 9.95 ? "%.1f%c" : "%.0f%c", x, unit[u]);
    return out;
}

static void print_part(const char *prefix, const char *name, uint64_t n)
{
    char size[32];
    printf("%s%s\t%llu\t%s\n", prefix, name, (unsigned long long)n,
           heedi_cli_bytes(size, n));
}

/* For a command that is given the least as its limit. */
static heed_plan told(const heed_plan *p)
{
    heed_plan t = *p;
    t.peak_min += HEED_PROGRAM_VARIES;
    return t;
}

void heedi_cli_plan_print(const char *prefix, const heed_plan *plan)
{
    const heed_plan p = told(plan);
#define P(name) print_part(prefix, #name, p.name);
    PARTS(P)
#undef P
    printf("%sblocks\t%lld\t\n%sblocks_kept\t%lld\t\n", prefix,
           (long long)p.n_blocks, prefix, (long long)p.n_kept);
}

json_t *heedi_cli_plan_json(const heed_plan *plan)
{
    const heed_plan p = told(plan);
    json_t *j = json_object();
#define P(name) json_object_set_new(j, #name, json_integer((json_int_t)p.name));
    PARTS(P)
#undef P
    json_object_set_new(j, "blocks", json_integer(p.n_blocks));
    json_object_set_new(j, "blocks_kept", json_integer(p.n_kept));
    return j;
}

json_t *heedi_cli_json_text(const char *s)
{
    json_t *j = json_string(s ? s : "");
    return j ? j : json_string("?");
}

heed_status heedi_cli_json_print(heedi_cli *c, json_t *j)
{
    size_t flags = JSON_INDENT(1) | JSON_REAL_PRECISION(9);
    int bad = j ? json_dumpf(j, stdout, flags) : -1;
    json_decref(j);
    if (bad && !ferror(stdout))
        return heedi_cli_fail(c, HEED_ENOMEM, "no memory for the document");
    putchar('\n');
    c->printed = true;
    return HEED_OK;
}
