/* modeldir.h - a copy of a golden model with another config.json, in a
 * directory that is removed at the end. */
#ifndef MODELDIR_H
#define MODELDIR_H

#include <stdlib.h>
#include <unistd.h>

static char modeldir[] = "/tmp/heed-model-XXXXXX";

static inline const char *modeldir_file(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", modeldir, name);
    return path;
}

static inline void modeldir_write(const char *name, const void *p, size_t n)
{
    remove(modeldir_file(name));
    FILE *f = fopen(modeldir_file(name), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

/* The bytes of a file, and a NUL; free() them. */
static inline char *modeldir_read(const char *path, size_t *n)
{
    return whole_file(path, n);
}

/* config.json of tests/golden/MODEL, the first `was` in it as `is`. */
static inline void modeldir_config(const char *model, const char *was,
                                   const char *is)
{
    char path[256], text[8192];
    size_t n;
    snprintf(path, sizeof path, "tests/golden/%s/config.json", model);
    char *config = modeldir_read(path, &n);
    const char *at = strstr(config, was);
    assert_non_null(at);
    int size = snprintf(text, sizeof text, "%.*s%s%s", (int)(at - config),
                        config, is, at + strlen(was));
    assert_true(size > 0 && (size_t)size < sizeof text);
    modeldir_write("config.json", text, (size_t)size);
    free(config);
}

/* Weights of tests/golden/llama/NAME ("../gptj/plain": of that family). */
static inline void modeldir_weights(const char *name)
{
    char from[512];
    size_t n;
    snprintf(from, sizeof from, "tests/golden/llama/%s/model.safetensors",
             name);
    char *p = modeldir_read(from, &n);
    modeldir_write("model.safetensors", p, n);
    free(p);
}

/* Where a tensor lies in the bytes of a .safetensors file, and its size. */
static inline char *modeldir_tensor(char *bytes, const char *name, size_t *size)
{
    uint64_t head;
    char key[128];
    unsigned long long from, to;
    memcpy(&head, bytes, sizeof head);
    snprintf(key, sizeof key, "\"%s\"", name);
    const char *p = strstr(bytes + 8, key);
    p = p ? strstr(p, "\"data_offsets\"") : NULL;
    p = p ? strchr(p, '[') : NULL;
    assert_non_null(p);
    assert_int_equal(sscanf(p, "[%llu ,%llu", &from, &to), 2);
    *size = (size_t)(to - from);
    return bytes + 8 + head + from;
}

static inline int modeldir_setup(void **state)
{
    (void)state;
    return mkdtemp(modeldir) ? 0 : -1;
}

static inline int modeldir_teardown(void **state)
{
    (void)state;
    remove(modeldir_file("config.json"));
    remove(modeldir_file("model.safetensors"));
    return rmdir(modeldir);
}

#endif
