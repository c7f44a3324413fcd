/* --dataset FILE.jsonl: one text for each line. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli_input.h"

static heed_status add_line(heedi_cli *c, heedi_cli_texts *out,
                            const char *line, size_t n, int64_t number)
{
    const char *path = c->args.dataset, *field = c->args.text_field;
    json_error_t e;
    json_t *j = json_loadb(line, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &e);
    if (!j && !e.text[0])
        return heedi_cli_fail(c, HEED_ENOMEM, "%s:%lld: no memory", path,
                              (long long)number);
    if (!j)
        return heedi_cli_fail(c, HEED_EFORMAT,
                              "%s:%lld: %s; each line is JSON, a string or "
                              "{\"%s\": \"...\"}",
                              path, (long long)number, e.text, field);
    const json_t *text = json_is_string(j) ? j : json_object_get(j, field);
    heed_status st = HEED_OK;
    if (!json_is_string(text)) {
        st = heedi_cli_fail(c, HEED_EFORMAT,
                            "%s:%lld: no string '%s'; --text-field names the "
                            "field with the text",
                            path, (long long)number, field);
    } else if (json_string_length(text) == 0) {
        st = heedi_cli_fail(c, HEED_EFORMAT, "%s:%lld: the text is empty", path,
                            (long long)number);
    } else {
        size_t len = json_string_length(text);
        char *copy = malloc(len + 1);
        if (copy) {
            memcpy(copy, json_string_value(text), len);
            copy[len] = '\0';
        }
        st = heedi_cli_texts_add(c, out, copy, (int64_t)len);
    }
    json_decref(j);
    return st;
}

heed_status heedi_cli_dataset_read(heedi_cli *c, heedi_cli_texts *out)
{
    char *all;
    int64_t len;
    HEEDI_TRY(heedi_cli_read_file(c, c->args.dataset, &all, &len));
    heed_sha256(all, (size_t)len, c->dataset_hash);
    heed_status st = HEED_OK;
    int64_t number = 0;
    for (const char *s = all, *end = all + len; s < end && st == HEED_OK;) {
        const char *eol = memchr(s, '\n', (size_t)(end - s));
        size_t n = (size_t)((eol ? eol : end) - s);
        size_t blank = 0;
        while (blank < n && strchr(" \t\r", s[blank]) && s[blank])
            blank++;
        number++;
        if (blank < n)
            st = add_line(c, out, s, n, number);
        s += n + (eol != NULL);
    }
    free(all);
    if (st == HEED_OK && out->n == 0)
        st = heedi_cli_fail(c, HEED_EFORMAT, "%s: no line has a text",
                            c->args.dataset);
    return st;
}
