/* terminal.c - the token heat in the colours of a terminal. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"
#include "view.h"

typedef struct sheet {
    heed_ctx *ctx;
    char *text;
    size_t n, cap;
    int columns, column; /* width, and where the next character goes */
    bool failed;
} sheet;

static void put(sheet *s, const char *p, size_t n)
{
    char *grown = s->failed
                      ? NULL
                      : heedi_grow(s->ctx, s->text, &s->cap, s->n + n + 1, 1);
    s->failed |= !grown;
    if (s->failed)
        return;
    s->text = grown;
    memcpy(s->text + s->n, p, n);
    s->n += n;
    s->text[s->n] = '\0';
}

static void print(sheet *s, const char *fmt, ...) HEEDI_PRINTF(2, 3);
static void print(sheet *s, const char *fmt, ...)
{
    char buf[512];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(buf, sizeof buf, fmt, ap);
    va_end(ap);
    if (n > 0)
        put(s, buf, (size_t)n < sizeof buf ? (size_t)n : sizeof buf - 1);
}

static void set_color(sheet *s, heedi_rgb back)
{
    uint32_t b = heedi_rgb_hex(back), f = heedi_rgb_hex(heedi_ink(back));
    print(s, "\033[48;2;%u;%u;%um\033[38;2;%u;%u;%um", b >> 16, b >> 8 & 255,
          b & 255, f >> 16, f >> 8 & 255, f & 255);
}

static void reset(sheet *s)
{
    print(s, "\033[0m");
}

/* ---- text ---------------------------------------------------------------- */

static int width_of(const char *s, size_t n)
{
    int w = 0, len;
    for (size_t i = 0; i < n; i += (size_t)len)
        w += heedi_utf8_width(heedi_utf8_at(s + i, &len));
    return w;
}

/* Bytes of a character with the marks on it. */
static size_t letter(const char *s)
{
    size_t n = 0;
    int len;
    do {
        heedi_utf8_at(s + n, &len);
        n += (size_t)len;
    } while (s[n] && s[n] != '\n' &&
             heedi_utf8_width(heedi_utf8_at(s + n, &len)) == 0);
    return n;
}

static void style(sheet *s, const heedi_view *v, const heedi_piece *p)
{
    if (p->kind == HEEDI_TARGET || p->is_target)
        print(s, "\033[1;4m");
    if (p->first >= 0 && !p->drop)
        set_color(s, heedi_view_color(v, p->value));
}

static void new_line(sheet *s)
{
    reset(s);
    put(s, "\n", 1);
    s->column = 0;
}

/* Columns up to the next place where a line may break: the end of the word
 * that starts with this piece. */
static int word_width(const heedi_view *v, int64_t i)
{
    int w = 0;
    for (int64_t k = i; k < v->n; k++) {
        const char *s = v->piece[k].text;
        size_t n = strcspn(s, "\n");
        if (k > i && (*s == ' ' || v->piece[k].kind == HEEDI_TARGET ||
                      v->piece[k].kind == HEEDI_CHIP))
            break;
        w += width_of(s, n);
        if (s[n] == '\n')
            break;
    }
    return w;
}

static bool starts_word(const heedi_view *v, int64_t i)
{
    const heedi_piece *p = &v->piece[i];
    if (i == 0 || p->kind == HEEDI_TARGET || p->kind == HEEDI_CHIP)
        return true;
    const char *before = v->piece[i - 1].text;
    size_t n = strlen(before);
    return *p->text == ' ' || (n && before[n - 1] == ' ') ||
           v->piece[i - 1].kind == HEEDI_CHIP;
}

static void put_piece(sheet *s, const heedi_view *v, const heedi_piece *p)
{
    style(s, v, p);
    for (const char *t = p->text; *t;) {
        if (*t == '\n') {
            new_line(s);
            style(s, v, p);
            t++;
            continue;
        }
        size_t n = letter(t);
        int w = width_of(t, n);
        if (s->column + w > s->columns) {
            new_line(s);
            style(s, v, p);
        }
        put(s, t, n);
        s->column += w;
        t += n;
    }
    reset(s);
}

static void put_text(sheet *s, const heedi_view *v)
{
    for (int64_t i = 0; i < v->n; i++) {
        if (s->column > 0 && starts_word(v, i)) {
            int w = word_width(v, i);
            if (s->column + w > s->columns && w <= s->columns)
                new_line(s);
        }
        put_piece(s, v, &v->piece[i]);
    }
    if (s->column > 0)
        new_line(s);
}

/* ---- bar ----------------------------------------------------------------- */

/* opposes "x"  −0.48 [bar] +0.48  supports "x" */
static void put_bar(sheet *s, heedi_view *v)
{
    char low[HEEDI_NUMBER], high[HEEDI_NUMBER];
    const char *left = heedi_view_low(v), *right = heedi_view_high(v);
    if (!left || !right) {
        s->failed = true;
        return;
    }
    heedi_number_text(low, v->low, v->is_signed);
    heedi_number_text(high, v->high, v->is_signed);
    int words =
        width_of(left, strlen(left)) + width_of(right, strlen(right)) + 4;
    int numbers = width_of(low, strlen(low)) + width_of(high, strlen(high)) + 2;
    bool beside = words + numbers + 8 <= s->columns;
    int cells = s->columns - numbers - (beside ? words : 0);
    cells = cells > 32 ? 32 : cells < 1 ? 1 : cells;
    print(s, "%s%s%s ", beside ? left : "", beside ? "  " : "", low);
    for (int i = 0; i < cells; i++) {
        double t = (i + 0.5) / cells;
        set_color(
            s, heedi_cmap_color(v->cmap, v->cmap->diverging ? 2 * t - 1 : t));
        put(s, " ", 1);
    }
    reset(s);
    print(s, " %s%s%s\n", high, beside && *right ? "  " : "",
          beside ? right : "");
    if (!beside) {
        print(s, "%s\n", left);
        if (*right)
            print(s, "%s\n", right);
    }
    const char *outliers = heedi_view_outliers(v);
    s->failed |= !outliers;
    if (outliers && *outliers)
        print(s, "%s\n", outliers);
}

heed_status heed_terminal_heat(char **out, heed_ctx *ctx, const heed_result *r,
                               const char *group, int columns,
                               const heed_figure_options *o)
{
    static const heed_figure_options defaults;
    heedi_view v;
    heedi_begin(ctx);
    *out = NULL;
    if (columns < 10)
        return heedi_fail(ctx, HEED_EINVAL,
                          "%d columns, at least 10 are needed", columns);
    HEEDI_TRY(heedi_view_one(ctx, r));
    sheet s = {.ctx = ctx, .columns = columns};
    heed_status st = heedi_view_init(&v, ctx, r, group, o ? o : &defaults);
    if (st == HEED_OK) {
        put_text(&s, &v);
        put_bar(&s, &v);
        st = s.failed ? HEED_ENOMEM : HEED_OK;
    }
    heedi_view_clear(&v);
    if (st == HEED_OK)
        *out = s.text;
    else
        heedi_free(ctx, s.text);
    return st;
}

void heed_text_free(heed_ctx *ctx, char *text)
{
    heedi_free(ctx, text);
}
