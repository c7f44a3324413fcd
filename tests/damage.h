/* damage.h - a folder of damaged checkpoints: each is refused with its status
 * and a sentence that names the file and says what is wrong. */
#ifndef DAMAGE_H
#define DAMAGE_H

#include "testlib.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint.h"

enum { MAX = 4096 };
static char dir[] = "/tmp/heed-damage-XXXXXX"; /* also a checkpoint */

static inline const char *in_dir(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static inline void put_file(const char *name, const void *p, size_t n)
{
    FILE *f = fopen(in_dir(name), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static inline void refused(const char *path, heed_status want, const char *text)
{
    heed_ctx *ctx = new_ctx();
    heedi_checkpoint *c;
    heed_status st = heedi_checkpoint_open(&c, ctx, path);
    if (st != want || !strstr(heed_error(ctx), text) ||
        !strstr(heed_error(ctx), dir))
        fail_msg("got %d '%s', want %d '%s'", st, heed_error(ctx), want, text);
    assert_null(c);
    heed_ctx_free(ctx);
}

static inline void accepted(const char *path)
{
    heed_ctx *ctx = new_ctx();
    heedi_checkpoint *c;
    if (heedi_checkpoint_open(&c, ctx, path) != HEED_OK)
        fail_msg("%s", heed_error(ctx));
    heedi_checkpoint_close(c);
    heed_ctx_free(ctx);
}

static inline int setup(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static inline int teardown(void **state)
{
    (void)state;
    static const char *const names[] = {
        "m.gguf", "config.json", "model.safetensors", "x", "x2", "y", "y2"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        remove(in_dir(names[i]));
    return rmdir(dir);
}

#endif
