/* Tables on stdout, tab-separated; the summary on stderr. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cli_output.h"

/* The k-th value of typed data as a number. */
static double value_at(heed_type type, const void *data, int64_t k)
{
    switch (type) {
    case HEED_F32:
        return (double)((const float *)data)[k];
    case HEED_F64:
        return ((const double *)data)[k];
    case HEED_I32:
        return ((const int32_t *)data)[k];
    case HEED_I64:
        return (double)((const int64_t *)data)[k];
    case HEED_U8:
        return ((const uint8_t *)data)[k];
    case HEED_STR:
        break;
    }
    return (double)NAN;
}

/* The i-th value of an attribute, or its only one; -1 if it has none. */
static int64_t index_of(const heed_attr *a, int64_t i)
{
    if (!a || i < 0)
        return -1;
    return a->n == -1 || a->n == 1 ? 0 : i < a->n ? i : -1;
}

double heedi_cli_attr_num(const heed_result *r, const char *group,
                          const char *key, int64_t i)
{
    const heed_attr *a = heed_result_attr(r, group, key);
    int64_t k = index_of(a, i);
    return k < 0 ? (double)NAN : value_at(a->type, a->data, k);
}

const char *heedi_cli_attr_str(const heed_result *r, const char *group,
                               const char *key, int64_t i)
{
    const heed_attr *a = heed_result_attr(r, group, key);
    int64_t k = index_of(a, i);
    if (k < 0 || a->type != HEED_STR)
        return "";
    const char *s = ((const char *const *)a->data)[k];
    return s ? s : "";
}

/* ---- relevance ---- */

void heedi_cli_relevance_head(const heedi_cli_columns *k)
{
    printf("%s%s%s%s\n", k->input ? "input\t" : "", k->method ? "method\t" : "",
           k->target ? "at\t" : "",
           k->word ? "word\ttext\trelevance" : "pos\tid\ttoken\trelevance");
}

typedef struct row_start {
    const heedi_cli_columns *k;
    const char *method;
    int64_t input, at;
} row_start;

static void print_start(const row_start *s)
{
    if (s->k->input)
        printf("%lld\t", (long long)s->input);
    if (s->k->method)
        printf("%s\t", s->method);
    if (s->k->target)
        printf("%lld\t", (long long)s->at);
}

static void print_tokens(const row_start *s, const heed_tokens *t,
                         const heed_array *a, int64_t first, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        print_start(s);
        printf("%lld\t%d\t", (long long)i, (int)t->token[i].id);
        heedi_cli_print_cell(stdout, t->token[i].text);
        putchar('\t');
        heedi_cli_print_number(stdout,
                               value_at(a->var.type, a->data, first + i), '\n');
    }
}

/* Tokens of one word that follow each other are summed; a token of no word is
 * a row of its own. */
static void print_words(const row_start *s, const heed_tokens *t,
                        const heed_array *a, int64_t first, int64_t n)
{
    for (int64_t i = 0, end; i < n; i = end) {
        int32_t word = t->token[i].word_id;
        double sum = 0;
        for (end = i; end == i ||
                      (end < n && word >= 0 && t->token[end].word_id == word);
             end++)
            sum += value_at(a->var.type, a->data, first + end);
        print_start(s);
        printf("%d\t", (int)word);
        for (int64_t j = i; j < end; j++)
            heedi_cli_print_cell(stdout, t->token[j].text);
        putchar('\t');
        heedi_cli_print_number(stdout, sum, '\n');
    }
}

void heedi_cli_relevance_rows(const heedi_cli_columns *k, const heed_result *r,
                              const char *group, const char *method,
                              int64_t input, const heedi_cli_input *in)
{
    const heed_array *a = heed_result_get(r, group, "relevance");
    if (!a || a->var.nd < 1)
        return;
    int64_t n = a->var.len[a->var.nd - 1];
    int64_t targets = a->var.nd == 2 ? a->var.len[0] : 1;
    n = n < in->tokens.n ? n : in->tokens.n;
    for (int64_t i = 0; i < targets && i < in->n_targets; i++) {
        row_start s = {k, method, input, in->target[i].at};
        int64_t first = i * a->var.len[a->var.nd - 1];
        if (k->word)
            print_words(&s, &in->tokens, a, first, n);
        else
            print_tokens(&s, &in->tokens, a, first, n);
    }
}

/* ---- the greatest heads and neurons ---- */

/* The head line comes first, once. */
static void top_rows(const heedi_cli_columns *k, const heed_result *r,
                     const char *group, const char *method, int64_t input,
                     const char *unit)
{
    const heed_array *a[3];
    static const char *const of[] = {"layer", "number", "relevance"};
    for (int i = 0; i < 3; i++) {
        char name[64];
        snprintf(name, sizeof name, "top_%s_%s", unit, of[i]);
        a[i] = heed_result_get(r, group, name);
        if (!a[i])
            return;
    }
    const int64_t n = a[0]->var.len[a[0]->var.nd - 1];
    const int64_t targets = a[0]->var.nd == 2 ? a[0]->var.len[0] : 1;
    for (int64_t i = 0; i < targets * n; i++) {
        if (k->input)
            printf("%lld\t", (long long)input);
        if (k->method)
            printf("%s\t", method);
        if (targets > 1)
            printf("%lld\t", (long long)(i / n));
        printf("%s\t%.0f\t%.0f\t", unit,
               value_at(a[0]->var.type, a[0]->data, i),
               value_at(a[1]->var.type, a[1]->data, i));
        heedi_cli_print_number(stdout, value_at(a[2]->var.type, a[2]->data, i),
                               '\n');
    }
}

void heedi_cli_top(const heedi_cli_columns *k, const heed_result *r,
                   const char *group, const char *method, int64_t input)
{
    const heed_array *a = heed_result_get(r, group, "relevance");
    printf("%s%s%sunit\tlayer\tnumber\trelevance\n", k->input ? "input\t" : "",
           k->method ? "method\t" : "", a && a->var.nd == 2 ? "target\t" : "");
    top_rows(k, r, group, method, input, "head");
    top_rows(k, r, group, method, input, "neuron");
}

/* ---- ledger ---- */

/* The arrays of a ledger, in order of definition: op_name first. */
static int ledger_columns(const heed_result *r, const char *group,
                          const heed_array **out, int max)
{
    const heed_array *a = heed_result_get(r, group, "op_name");
    int n = 0;
    if (!a)
        return 0;
    out[n++] = a;
    for (int i = 0; (a = heed_result_at(r, i)) && n < max; i++)
        if (strcmp(a->var.group, group) == 0 && a != out[0] &&
            a->var.type != HEED_STR && a->var.nd >= 1 &&
            a->var.len[a->var.nd - 1] == out[0]->var.len[0])
            out[n++] = a;
    return n;
}

void heedi_cli_ledger(const heed_result *r, const char *group)
{
    enum { MAX = 64 };
    const heed_array *col[MAX];
    char ledger[256];
    snprintf(ledger, sizeof ledger, "%s/ledger", group);
    int n = ledger_columns(r, ledger, col, MAX);
    int64_t ops = n > 0 ? col[0]->var.len[0] : 0;
    int64_t targets = n > 1 && col[1]->var.nd == 2 ? col[1]->var.len[0] : 1;
    if (n == 0)
        return;
    printf("%sop", targets > 1 ? "target\t" : "");
    for (int j = 1; j < n; j++)
        printf("\t%s", col[j]->var.name);
    putchar('\n');
    for (int64_t i = 0; i < ops * targets; i++) {
        if (targets > 1)
            printf("%lld\t", (long long)(i / ops));
        heedi_cli_print_cell(stdout,
                             ((const char *const *)col[0]->data)[i % ops]);
        putchar(n > 1 ? '\t' : '\n');
        for (int j = 1; j < n; j++) {
            int64_t k = col[j]->var.nd == 2 ? i : i % ops;
            heedi_cli_print_number(stdout,
                                   value_at(col[j]->var.type, col[j]->data, k),
                                   j + 1 < n ? '\t' : '\n');
        }
    }
}

/* ---- summary ---- */

static const char *default_of(const heed_method_info *m, const char *name)
{
    for (const heed_option *o = m ? m->options : NULL; o && o->name; o++)
        if (strcmp(o->name, name) == 0)
            return o->def;
    return "";
}

/* What a method was told: "replacement zero, batch 16". Of one whose relevance
 * adds up exactly, or that has many options, only what is not the default. */
static void options_of(char *out, size_t size, const heed_result *r,
                       const char *group, const heed_method_info *m)
{
    enum { MANY = 8 };
    int n_options = 0;
    for (const heed_option *o = m ? m->options : NULL; o && o->name; o++)
        n_options++;
    const bool all =
        (!m || !m->conserves || m->approximates) && n_options <= MANY;
    const char *text = heedi_cli_attr_str(r, group, "options", 0);
    size_t n = 0;
    json_t *options = json_loads(text, 0, NULL), *value;
    const char *key;
    *out = '\0';
    json_object_foreach(options, key, value)
    {
        const char *s = json_string_value(value);
        if (s && n < size && (all || strcmp(s, default_of(m, key)) != 0))
            n += (size_t)snprintf(out + n, size - n, "%s%s %s", n ? ", " : "",
                                  key, s);
    }
    json_decref(options);
}

static void add(char *out, size_t size, const char *format, double x)
{
    const size_t n = strlen(out);
    snprintf(out + n, size - n, format, x);
}

/* Of a method that approximates, the residual as a share of the change that
 * relevance stands for. */
static const char *gap_of(char out[32], const heed_method_info *m,
                          double change, double rest)
{
    out[0] = '\0';
    if (m && m->approximates && change != 0)
        snprintf(out, 32, ", a gap of %.2g %%", 100 * fabs(rest / change));
    return out;
}

void heedi_cli_summary(const heedi_cli *c, const heed_result *r,
                       const char *group, const char *method, int64_t n)
{
    char options[256];
    const heed_method_info *m = heed_method_named(method);
    options_of(options, sizeof options, r, group, m);
    if (*options)
        heedi_cli_say(c, "%s: %s", method, options);
    for (int64_t i = 0; i < n; i++) {
        double target = heedi_cli_attr_num(r, group, "target_value", i);
        double sum = heedi_cli_attr_num(r, group, "sum", i);
        double absorbed = heedi_cli_attr_num(r, group, "absorbed", i);
        double rest = heedi_cli_attr_num(r, group, "conservation_residual", i);
        double at = heedi_cli_attr_num(r, group, "target_pos", i);
        const char *foil = heedi_cli_attr_str(r, group, "foil_text", i);
        const char *text = heedi_cli_attr_str(r, group, "target_text", i);
        double position = heedi_cli_attr_num(r, group, "position_sum", i);
        double type = heedi_cli_attr_num(r, group, "type_sum", i);
        char where[32] = "", balance[256] = "", of[512] = "", against[512] = "";
        char gap[32];
        const char *head = heedi_cli_attr_str(r, group, "head", 0);
        if (!isnan(at) && (!*head || strcmp(head, "masked token") == 0))
            snprintf(where, sizeof where, " %s %.0f", *head ? "at" : "after",
                     at);
        if (!isnan(position))
            add(balance, sizeof balance, " (positions %.6g)", position);
        if (!isnan(type))
            add(balance, sizeof balance, " (token types %.6g)", type);
        if (!isnan(absorbed))
            add(balance, sizeof balance, ", absorbed %.6g", absorbed);
        if (!isnan(absorbed))
            add(balance, sizeof balance, ", residual %.2g", rest);
        strcat(balance, gap_of(gap, m, target - absorbed, rest));
        if (isnan(target)) {
            heedi_cli_say(c, "%s: sum %.6g%s", method, sum, balance);
            continue;
        }
        if (*foil)
            snprintf(against, sizeof against, " against '%s'", foil);
        if (*text) /* none: a number of all tokens, or of two texts */
            snprintf(of, sizeof of, " of '%s'", text);
        heedi_cli_say(c, "%s: %s%s%s%s = %.6g; sum %.6g%s", method,
                      heedi_cli_attr_str(r, group, "target_kind", i), of,
                      against, where, target, sum, balance);
    }
}
