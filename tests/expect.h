/* expect.h - reads the arrays of a golden .safetensors file (F64, I64, U8). */
#ifndef EXPECT_H
#define EXPECT_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct expect {
    unsigned char *bytes;
    json_t *head;
    const unsigned char *data;
} expect;

static inline int expect_open(expect *e, const char *path)
{
    FILE *f = fopen(path, "rb");
    *e = (expect){0};
    if (!f)
        return 0;
    fseek(f, 0, SEEK_END);
    long n = ftell(f);
    rewind(f);
    e->bytes = malloc((size_t)n);
    size_t got = fread(e->bytes, 1, (size_t)n, f);
    fclose(f);
    uint64_t head;
    memcpy(&head, e->bytes, 8);
    e->head = json_loadb((const char *)e->bytes + 8, head, 0, NULL);
    e->data = e->bytes + 8 + head;
    return got == (size_t)n && e->head != NULL;
}

static inline void expect_close(expect *e)
{
    json_decref(e->head);
    free(e->bytes);
}

/* Bytes of "prefix/name" (prefix NULL: of "name") and how many there are; NULL
 * if it is not there. */
static inline const void *expect_bytes(const expect *e, const char *prefix,
                                       const char *name, int64_t *n)
{
    char key[320];
    snprintf(key, sizeof key, "%s%s%s", prefix ? prefix : "", prefix ? "/" : "",
             name);
    json_t *t = json_object_get(e->head, key);
    *n = 0;
    if (!t)
        return NULL;
    json_t *off = json_object_get(t, "data_offsets");
    int64_t a = json_integer_value(json_array_get(off, 0));
    int64_t b = json_integer_value(json_array_get(off, 1));
    *n = b - a;
    return e->data + a;
}

/* The same of values of eight bytes: how many of them. */
static inline const void *expect_get(const expect *e, const char *prefix,
                                     const char *name, int64_t *n)
{
    const void *p = expect_bytes(e, prefix, name, n);
    *n /= 8;
    return p;
}

#endif
