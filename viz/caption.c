/* caption.c - the words of a picture. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "entry.h"
#include "range.h"
#include "result.h"
#include "utf8.h"
#include "view.h"

#define MINUS "\xe2\x88\x92"
#define DOT   " \xc2\xb7 "
#define OPEN  "\xe2\x80\x9c"
#define CLOSE "\xe2\x80\x9d"

const char *heedi_arena_print(heedi_arena *a, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    char *s = n >= 0 ? heedi_arena_alloc(a, (size_t)n + 1) : NULL;
    if (s)
        vsnprintf(s, (size_t)n + 1, fmt, again);
    va_end(again);
    va_end(ap);
    return s;
}

const char *heedi_number_text(char buf[HEEDI_NUMBER], double x, bool sign)
{
    char digits[24];
    double m = fabs(x);
    if (m == 0)
        return strcpy(buf, "0");
    int places = m >= 99.95     ? 0
                 : m >= 9.995   ? 1
                 : m >= 0.0995  ? 2
                 : m >= 0.00995 ? 3
                                : 4; /* at least two digits */
    if (m >= 1e6 || m < 9.95e-4) {   /* 4.2e−4 */
        int e = (int)floor(log10(m));
        double f = m / pow(10, e);
        if (f >= 9.95) {
            f /= 10;
            e++;
        }
        snprintf(digits, sizeof digits, "%.1fe%s%d", f, e < 0 ? MINUS : "",
                 abs(e));
    } else {
        snprintf(digits, sizeof digits, "%.*f", places, m);
    }
    snprintf(buf, HEEDI_NUMBER, "%s%s",
             x < 0  ? MINUS
             : sign ? "+"
                    : "",
             digits);
    return buf;
}

const char *heedi_tick_text(char buf[HEEDI_NUMBER], double x)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%.4g", fabs(x));
    char *e = strchr(digits, 'e');
    if (e) /* 1e-05 */
        snprintf(e + 1, sizeof digits - (size_t)(e + 1 - digits), "%d",
                 atoi(e + 1));
    snprintf(buf, HEEDI_NUMBER, "%s%s",
             x < 0   ? MINUS
             : x > 0 ? "+"
                     : "",
             digits);
    return buf;
}

const char *heedi_named_number(heedi_view *v, const char *name, double x)
{
    char num[HEEDI_NUMBER];
    return heedi_arena_print(&v->arena, "%s %s", name,
                             heedi_number_text(num, x, true));
}

/* ---- names --------------------------------------------------------------- */

static const char *const names[][2] = {
    {"attn_lrp", "AttnLRP"},
    {"cp_lrp", "CP-LRP"},
    {"mamba_lrp", "MambaLRP"},
    {"pa_lrp", "PA-LRP"},
    {"lrp_epsilon", "LRP-\xce\xb5"},
    {"lrp_gamma", "LRP-\xce\xb3"},
    {"lrp_zplus", "LRP-z\xe2\x81\xba"},
    {"lrp_alpha_beta", "LRP-\xce\xb1\xce\xb2"},
    {"input_x_gradient", "input \xc3\x97 gradient"},
    {"attention_x_gradient", "attention \xc3\x97 gradient"},
    {"smooth_grad", "SmoothGrad"},
    {"contrast_logit_diff", "logit difference"},
    {"contrast_prob_diff", "probability difference"},
    {"logprob", "log probability"},
    {"class", "class score"},
    {"kappa", "\xce\xba"},
    {"beta", "\xce\xb2"},
};

/* How a method, target or ledger entry is called in print. */
static const char *spoken(heedi_arena *a, const char *name)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i][0], name) == 0)
            return names[i][1];
    size_t n = strlen(name) + 1;
    char *copy = heedi_arena_alloc(a, n);
    if (copy)
        memcpy(copy, name, n);
    for (char *p = copy; p && *p; p++)
        if (*p == '_')
            *p = ' ';
    return copy;
}

/* "q8_0,q5_0,f32" as "Q8_0/Q5_0": the small tensors of a quantised model are in
 * float32, as everybody's. */
static void types_text(char *out, size_t size, const char *types)
{
    size_t n = 0;
    for (const char *s = types; s && *s;) {
        const size_t len = strcspn(s, ",");
        const bool plain = n > 0 && len == 3 && memcmp(s, "f32", 3) == 0;
        for (size_t i = 0; !plain && n + 2 < size && i < len; i++) {
            if (i == 0 && n > 0)
                out[n++] = '/';
            out[n++] = (char)(s[0] == 'q' && s[i] >= 'a' && s[i] <= 'z'
                                  ? s[i] - 'a' + 'A'
                                  : s[i]);
        }
        s += len + (s[len] == ',');
    }
    out[n] = '\0';
}

const char *heedi_model_text(heedi_arena *a, const heed_result *r)
{
    const char *name = heed_result_str(r, "", "model_name");
    const char *type = heed_result_str(r, "", "dtype_weights");
    char upper[64];
    if (!name || !*name)
        name = heed_result_str(r, "", "model_arch");
    if (!name || !*name)
        return "";
    size_t n = strlen(name);
    while (n > 1 && name[n - 1] == '/')
        n--;
    for (size_t i = n; i > 0; i--)
        if (name[i - 1] == '/' && i < n) {
            name += i;
            n -= i;
            break;
        }
    if (n > 5 && strncmp(name + n - 5, ".gguf", 5) == 0)
        n -= 5;
    types_text(upper, sizeof upper, type);
    /* a quantisation that the name has need not be said twice */
    if (!*upper ||
        (strlen(upper) <= n && memmem(name, n, upper, strlen(upper)) != NULL))
        return heedi_arena_print(a, "%.*s", (int)n, name);
    return heedi_arena_print(a, "%.*s (%s)", (int)n, name, upper);
}

const char *heedi_isolated(heedi_arena *a, const char *s)
{
    return heedi_utf8_is_rtl(s, (int)strlen(s))
               ? heedi_arena_print(a, "\xe2\x81\xa8%s\xe2\x81\xa9", s)
               : s;
}

/* ---- captions ------------------------------------------------------------ */

static bool of_two_texts(const heedi_view *v)
{
    const char *kind = heedi_view_str(v, "target_kind");
    return kind && strcmp(kind, "similarity") == 0;
}

/* Of what explains a position rather than a target: "What reaches “it” at
 * position 119?"; NULL without memory, "" without a position. */
static const char *of_position(heedi_view *v)
{
    const double pos = heedi_view_num(v, "target_pos");
    const heed_array *a = heed_result_get(v->r, "input", "token");
    if (!(pos >= 0 && pos < (double)v->n_tokens))
        return "";
    if (!a || a->var.type != HEED_STR || a->var.len[0] != v->n_tokens)
        return heedi_arena_print(&v->arena, "What reaches position %.0f?", pos);
    const char *token =
        heedi_label(&v->arena, ((const char *const *)a->data)[(int64_t)pos]);
    token = token ? heedi_isolated(&v->arena, token) : NULL;
    return token ? heedi_arena_print(&v->arena,
                                     "What reaches " OPEN "%s" CLOSE
                                     " at position %.0f?",
                                     token, pos)
                 : NULL;
}

const char *heedi_view_title(heedi_view *v, const char *given)
{
    if (given)
        return given;
    const char *t = v->target_text;
    const char *kind = heedi_view_str(v, "target_kind");
    const char *head = heedi_view_str(v, "head");
    const bool whole = head && strcmp(head, "class") == 0;
    if (of_two_texts(v))
        return "Why are the two texts similar?";
    if (whole && t && !v->foil_text)
        return heedi_arena_print(&v->arena, "Why class " OPEN "%s" CLOSE "?",
                                 t);
    if (t && v->foil_text)
        return heedi_arena_print(&v->arena,
                                 "Why " OPEN "%s" CLOSE " rather than " OPEN
                                 "%s" CLOSE "?",
                                 t, v->foil_text);
    if (t)
        return heedi_arena_print(&v->arena, "Why " OPEN "%s" CLOSE "?", t);
    if (kind && strcmp(kind, "entropy") == 0)
        return "Why is the next token uncertain?";
    double id = heedi_view_num(v, "target_id");
    if (id >= 0)
        return heedi_arena_print(&v->arena, "Why token #%.0f?", id);
    const char *method = of_position(v);
    if (!method || *method)
        return method;
    method = heedi_view_str(v, "method");
    return method ? spoken(&v->arena, method) : "Relevance of the tokens";
}

const char *heedi_view_source(heedi_view *v)
{
    const char *method = heedi_view_str(v, "method");
    const char *model = heedi_model_text(&v->arena, v->r);
    method = method ? spoken(&v->arena, method) : "";
    if (!method || !model)
        return NULL;
    return heedi_arena_print(&v->arena, "%s%s%s", method,
                             *method && *model ? DOT : "", model);
}

const char *heedi_view_measure(heedi_view *v)
{
    char num[HEEDI_NUMBER];
    const char *kind = heedi_view_str(v, "target_kind"), *value = "";
    double x = heedi_view_num(v, "target_value");
    if (isfinite(x)) {
        kind = spoken(&v->arena, kind ? kind : "target");
        value = kind ? heedi_arena_print(&v->arena, "%s %s" DOT, kind,
                                         heedi_number_text(num, x, true))
                     : NULL;
    }
    return value ? heedi_arena_print(&v->arena, "%s%lld token%s", value,
                                     (long long)v->n_tokens,
                                     v->n_tokens == 1 ? "" : "s")
                 : NULL;
}

const char *heedi_view_subtitle(heedi_view *v)
{
    const char *source = heedi_view_source(v);
    const char *measure = heedi_view_measure(v);
    return source && measure ? heedi_arena_print(&v->arena, "%s%s%s", source,
                                                 *source ? DOT : "", measure)
                             : NULL;
}

const char *heedi_view_target(heedi_view *v)
{
    const char *kind = heedi_view_str(v, "target_kind");
    kind = spoken(&v->arena, kind ? kind : "target");
    if (!kind || !v->target_text)
        return kind;
    const char *target = heedi_isolated(&v->arena, v->target_text);
    const char *foil =
        v->foil_text ? heedi_isolated(&v->arena, v->foil_text) : "";
    if (!target || !foil)
        return NULL;
    if (v->foil_text)
        return heedi_arena_print(&v->arena,
                                 OPEN "%s" CLOSE " " MINUS " " OPEN "%s" CLOSE,
                                 target, foil);
    return heedi_arena_print(&v->arena, "%s of " OPEN "%s" CLOSE, kind, target);
}

const char *heedi_view_unit(heedi_view *v)
{
    const char *kind = heedi_view_str(v, "target_kind");
    return spoken(&v->arena, kind ? kind : "target");
}

const char *heedi_view_low(heedi_view *v)
{
    if (!v->is_signed) {
        const char *reduce = heedi_view_str(v, "reduce");
        return reduce && *reduce && strcmp(reduce, "none") != 0
                   ? heedi_arena_print(&v->arena, "relevance (%s)", reduce)
                   : "relevance";
    }
    if (of_two_texts(v))
        return "less similar";
    if (v->foil_text)
        return heedi_arena_print(&v->arena, "supports " OPEN "%s" CLOSE,
                                 v->foil_text);
    return v->target_text
               ? heedi_arena_print(&v->arena, "opposes " OPEN "%s" CLOSE,
                                   v->target_text)
               : "opposes the target";
}

const char *heedi_view_high(heedi_view *v)
{
    if (!v->is_signed)
        return "";
    if (of_two_texts(v))
        return "more similar";
    return v->target_text
               ? heedi_arena_print(&v->arena, "supports " OPEN "%s" CLOSE,
                                   v->target_text)
               : "supports the target";
}

/* The greatest entries that absorb: " (Îº, bias)". */
static const char *entries(heedi_view *v)
{
    const char *best[2] = {NULL, NULL};
    double size[2] = {0, 0}, total = 0;
    const heed_array *a;
    int64_t n, offset;
    for (int i = 0; (a = heedi_entry_at(v, i, &n, &offset)); i++) {
        const char *name = heedi_entry_name_of(a);
        if (heedi_entry_look_of(name)->is_relevance)
            continue;
        double sum = fabs(heedi_entry_total(a, n, offset));
        total += sum;
        int at = sum > size[0] ? 0 : sum > size[1] ? 1 : 2;
        if (at == 0) {
            size[1] = size[0];
            best[1] = best[0];
        }
        if (at < 2) {
            size[at] = sum;
            best[at] = name;
        }
    }
    if (!(size[0] > 0))
        return "";
    const char *one = spoken(&v->arena, best[0]);
    if (!one || size[1] < 0.05 * total)
        return one ? heedi_arena_print(&v->arena, " (%s)", one) : NULL;
    const char *two = spoken(&v->arena, best[1]);
    return two ? heedi_arena_print(&v->arena, " (%s, %s)", one, two) : NULL;
}

/* "tokens +1.02 + positions +0.62" */
static const char *shares(heedi_view *v)
{
    static const char *const share[][2] = {{"position", "positions"},
                                           {"type", "token types"}};
    char num[HEEDI_NUMBER];
    double tokens = heedi_view_num(v, "sum");
    const char *rest = "";
    for (int i = 0; rest && i < 2; i++) {
        double x = heedi_entry_share(v, share[i][0]);
        if (!isfinite(x))
            continue;
        tokens -= x;
        rest = heedi_arena_print(&v->arena, "%s + %s %s", rest, share[i][1],
                                 heedi_number_text(num, x, true));
    }
    const char *what =
        rest && !*rest && heed_result_get(v->r, v->group, "position_relevance")
            ? "tokens and positions"
            : "tokens";
    return rest ? heedi_arena_print(&v->arena, "%s %s%s", what,
                                    heedi_number_text(num, tokens, true), rest)
                : NULL;
}

const char *heedi_view_account(heedi_view *v)
{
    char a[HEEDI_NUMBER], b[HEEDI_NUMBER];
    double value = heedi_view_num(v, "target_value");
    double absorbed = heedi_view_num(v, "absorbed");
    if (!isfinite(value) || !isfinite(heedi_view_num(v, "sum")) ||
        !isfinite(absorbed))
        return "";
    const char *to = shares(v), *from = entries(v);
    return to && from
               ? heedi_arena_print(&v->arena, "%s = %s + absorbed %s%s",
                                   heedi_number_text(a, value, true), to,
                                   heedi_number_text(b, absorbed, true), from)
               : NULL;
}

const char *heedi_view_residual(heedi_view *v)
{
    char a[HEEDI_NUMBER];
    double value = heedi_view_num(v, "target_value"), size = 0;
    double residual = heedi_view_num(v, "conservation_residual");
    for (int64_t i = 0; i < v->n; i++)
        size += fabs(v->piece[i].value);
    size = isfinite(value) && fabs(value) > size ? fabs(value) : size;
    if (!isfinite(residual) || fabs(residual) <= 1e-4 * size)
        return "";
    return heedi_arena_print(&v->arena, "residual %s",
                             heedi_number_text(a, residual, true));
}

const char *heedi_view_outliers(heedi_view *v)
{
    enum { MOST = 12 };
    const char *list = "";
    char num[HEEDI_NUMBER];
    int n = 0;
    for (int64_t i = 0; list && i < v->n; i++) {
        const heedi_piece *p = &v->piece[i];
        if (!heedi_view_outside(v, p) || ++n > MOST)
            continue;
        const char *s = p->text + (*p->text == ' ' && p->text[1]);
        list = heedi_arena_print(
            &v->arena, "%s%s" OPEN "%.*s" CLOSE " %s", list,
            n == 1 ? "not on the colour scale: " : ", ", (int)strcspn(s, "\n"),
            s, heedi_number_text(num, p->value, true));
    }
    return list && n > MOST
               ? heedi_arena_print(&v->arena, "%s and %d more", list, n - MOST)
               : list;
}

const char *heedi_view_covers(heedi_view *v, const heed_figure_options *o,
                              double most)
{
    char num[HEEDI_NUMBER];
    if (!heedi_is_percentile(o) || most <= v->high)
        return "";
    return heedi_arena_print(&v->arena,
                             "range: %g %% of |values|, the greatest %s",
                             o->robust, heedi_number_text(num, most, false));
}
