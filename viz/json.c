#include "json.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "result.h"

static void escaped(heedi_out *o, const char *s)
{
    static const char *const plain = "\"\\\b\f\n\r\t";
    static const char *const letter = "\"\\bfnrt";
    heedi_out_bytes(o, "\"", 1);
    while (*s) {
        size_t n = 0;
        while ((unsigned char)s[n] >= 0x20 && s[n] != '"' && s[n] != '\\')
            n++;
        heedi_out_bytes(o, s, n);
        s += n;
        if (!*s)
            break;
        const char *at = strchr(plain, *s);
        if (at)
            heedi_out_print(o, "\\%c", letter[at - plain]);
        else
            heedi_out_print(o, "\\u%04x", (unsigned)*s);
        s++;
    }
    heedi_out_bytes(o, "\"", 1);
}

static void before(heedi_json *j, const char *key)
{
    if (j->comma)
        heedi_out_text(j->o, ", ");
    j->comma = true;
    if (key) {
        escaped(j->o, key);
        heedi_out_text(j->o, ": ");
    }
}

void heedi_json_open(heedi_json *j, const char *key, char bracket)
{
    before(j, key);
    heedi_out_bytes(j->o, &bracket, 1);
    j->comma = false;
}

void heedi_json_close(heedi_json *j, char bracket)
{
    heedi_out_bytes(j->o, &bracket, 1);
    j->comma = true;
}

void heedi_json_text(heedi_json *j, const char *key, const char *s)
{
    before(j, key);
    escaped(j->o, s);
}

void heedi_json_int(heedi_json *j, const char *key, int64_t x)
{
    before(j, key);
    heedi_out_print(j->o, "%lld", (long long)x);
}

void heedi_json_bool(heedi_json *j, const char *key, bool x)
{
    before(j, key);
    heedi_out_text(j->o, x ? "true" : "false");
}

void heedi_json_real(heedi_json *j, const char *key, double x)
{
    char buf[HEEDI_DIGITS];
    before(j, key);
    if (!isfinite(x)) {
        heedi_out_text(j->o, "null");
        return;
    }
    heedi_digits(buf, x, 9);
    heedi_out_text(j->o, buf);
    if (!strpbrk(buf, ".e"))
        heedi_out_text(j->o, ".0");
}

void heedi_json_value(heedi_json *j, const char *key, heed_type t,
                      const void *data, int64_t i)
{
    switch (t) {
    case HEED_STR:
        heedi_json_text(j, key, ((const char *const *)data)[i]);
        return;
    case HEED_I64:
        heedi_json_int(j, key, ((const int64_t *)data)[i]);
        return;
    case HEED_I32:
    case HEED_U8:
        heedi_json_int(j, key, (int64_t)heedi_number(t, data, i));
        return;
    case HEED_F32:
    case HEED_F64:
        heedi_json_real(j, key, heedi_number(t, data, i));
    }
}

static int raw_bytes(const char *s, size_t n, void *o)
{
    heedi_out_bytes(o, s, n);
    return 0;
}

void heedi_json_raw(heedi_json *j, const char *key, const char *s)
{
    json_error_t e;
    json_t *value = json_loads(s, JSON_DECODE_ANY, &e);
    if (!value && !e.text[0]) { /* no memory */
        j->o->err = j->o->err ? j->o->err : ENOMEM;
        return;
    }
    if (!value) {
        heedi_json_text(j, key, s);
        return;
    }
    before(j, key);
    if (json_dump_callback(value, raw_bytes, j->o,
                           JSON_ENCODE_ANY | JSON_REAL_PRECISION(9)) != 0 &&
        !j->o->err)
        j->o->err = ENOMEM;
    json_decref(value);
}

void heedi_json_nested(heedi_json *j, const char *key, heed_type t,
                       const void *data, int nd, const int64_t *len, int64_t at)
{
    if (nd == 0) {
        heedi_json_value(j, key, t, data, at);
        return;
    }
    int64_t step = heedi_numel(nd - 1, len + 1);
    heedi_json_open(j, key, '[');
    for (int64_t i = 0; i < len[0]; i++)
        heedi_json_nested(j, NULL, t, data, nd - 1, len + 1, at + i * step);
    heedi_json_close(j, ']');
}
