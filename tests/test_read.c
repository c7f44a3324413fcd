/* Files that are read back, for every format that says it can be. */
#include "folder.h"
#include "sample.h"

/* A file of r in format f, of that name without the extension. */
static const char *write_as(heed_ctx *ctx, const char *stem,
                            const heed_format_info *f, const heed_result *r)
{
    char name[64];
    snprintf(name, sizeof name, "%s%.*s", stem, (int)strcspn(f->extension, " "),
             f->extension);
    const char *path = in_folder(name);
    assert_int_equal(heed_write(ctx, path, NULL, 1, r), HEED_OK);
    return path;
}

static const char *written(heed_ctx *ctx, const heed_format_info *f,
                           const heed_result *r)
{
    return write_as(ctx, "file", f, r);
}

static heed_result *sample_result(heed_ctx *ctx, int64_t n)
{
    heed_result *r;
    assert_int_equal(heed_result_new(&r, ctx), HEED_OK);
    heed_sink s = heed_result_sink(r);
    assert_int_equal(sample_all(&s, ctx, n), HEED_OK);
    return r;
}

static void assert_same_values(heed_type type, int64_t n, const void *a,
                               const void *b)
{
    if (type != HEED_STR) {
        assert_memory_equal(a, b, (size_t)n * heed_type_size(type));
        return;
    }
    for (int64_t i = 0; i < n; i++)
        assert_string_equal(((const char *const *)a)[i],
                            ((const char *const *)b)[i]);
}

static void assert_same_array(const heed_array *a, const heed_array *b)
{
    int64_t n = 1;
    assert_non_null(b);
    assert_int_equal(a->var.type, b->var.type);
    assert_int_equal(a->var.nd, b->var.nd);
    for (int d = 0; d < a->var.nd; d++) {
        assert_string_equal(a->var.dim[d], b->var.dim[d]);
        assert_int_equal(a->var.len[d], b->var.len[d]);
        n *= a->var.len[d];
    }
    assert_same_values(a->var.type, n, a->data, b->data);
}

static void what_was_written(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    const heed_format_info *f;
    for (int i = 0; (f = heed_format_at(i)); i++) {
        const heed_array *a;
        const heed_attr *x;
        const char *group, *key;
        heed_result *back, *r = sample_result(ctx, 300); /* tiles, too */
        const char *path = written(ctx, f, r);
        if (!f->reads) {
            assert_int_equal(heed_read(&back, ctx, path), HEED_ENOTSUP);
            assert_null(back);
            heed_result_free(r);
            continue;
        }
        assert_int_equal(heed_read(&back, ctx, path), HEED_OK);
        assert_string_equal(heed_error(ctx), "");
        for (int k = 0; (a = heed_result_at(r, k)); k++)
            assert_same_array(a,
                              heed_result_get(back, a->var.group, a->var.name));
        for (int k = 0; (x = heed_result_attr_at(r, k, &group, &key)); k++) {
            const heed_attr *y = heed_result_attr(back, group, key);
            assert_non_null(y);
            assert_int_equal(x->type, y->type);
            assert_int_equal(x->n, y->n);
            assert_same_values(x->type, x->n < 0 ? 1 : x->n, x->data, y->data);
        }
        /* nothing else but dimensions: no array is there twice */
        for (int k = 0; (a = heed_result_at(back, k)); k++)
            assert_true(heed_result_get(r, a->var.group, a->var.name) ||
                        strcmp(a->var.name, a->var.dim[0]) == 0 ||
                        strcmp(a->var.name, "source_token") == 0);
        /* and what was read can be written */
        const char *again = write_as(ctx, "again", f, back);
        heed_result_free(back);
        assert_int_equal(heed_read(&back, ctx, again), HEED_OK);
        for (int k = 0; (a = heed_result_at(r, k)); k++)
            assert_same_array(a,
                              heed_result_get(back, a->var.group, a->var.name));
        heed_result_free(back);
        heed_result_free(r);
    }
    heed_ctx_free(ctx);
}

static void refused(heed_ctx *ctx, const char *path, heed_status st,
                    const char *word)
{
    heed_result *r = NULL;
    assert_int_equal(heed_read(&r, ctx, path), st);
    assert_null(r);
    assert_non_null(strstr(heed_error(ctx), word));
}

static void refusals(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    const heed_format_info *f;
    refused(ctx, in_folder("x.docx"), HEED_ENOTSUP, "x.docx");
    for (int i = 0; (f = heed_format_at(i)); i++) {
        if (!f->reads)
            continue;
        heed_result *r = sample_result(ctx, 12);
        const char *path = written(ctx, f, r);
        heed_sink s = heed_result_sink(r);
        /* cut short */
        FILE *file = fopen(path, "rb");
        fseek(file, 0, SEEK_END);
        long size = ftell(file);
        fclose(file);
        const long some[] = {1, 7, 8, 13, 47, 48, 100, size / 2, size - 1};
        for (size_t k = 0; k < sizeof some / sizeof *some; k++) {
            char both[64];
            assert_int_equal(truncate(written(ctx, f, r), some[k]), 0);
            refused(ctx, path, HEED_EFORMAT, "file.");
            refused(ctx, path, HEED_EFORMAT, "the HDF5 file is cut short: ");
            snprintf(both, sizeof both, "it has %ld of %ld bytes", some[k],
                     size);
            if (some[k] >= 48)
                refused(ctx, path, HEED_EFORMAT, both);
        }
        assert_int_equal(truncate(written(ctx, f, r), 0), 0);
        refused(ctx, path, HEED_EFORMAT, "the file is empty");
        for (long at = 0; at < 10; at++) { /* the signature, the version */
            file = fopen(written(ctx, f, r), "r+b");
            fseek(file, at, SEEK_SET);
            fputc(0xee, file);
            fclose(file);
            refused(ctx, path, HEED_EFORMAT,
                    at < 8 ? "no HDF5 file" : "the HDF5 file is damaged");
        }
        assert_int_equal(unlink(path), 0);
        refused(ctx, path, HEED_EIO, "No such file");
        /* of another program, of a later version */
        assert_int_equal(heed_put_int(&s, ctx, "", "format_version", 2),
                         HEED_OK);
        refused(ctx, written(ctx, f, r), HEED_ENOTSUP, "format_version 2");
        assert_int_equal(heed_put_str(&s, ctx, "", "format", "tea"), HEED_OK);
        refused(ctx, written(ctx, f, r), HEED_EFORMAT, "tea");
        heed_result_free(r);
    }
    heed_ctx_free(ctx);
}

static void every_allocation_fails_once(void **state)
{
    (void)state;
    heed_ctx *plain = new_ctx();
    const heed_format_info *f;
    for (int i = 0; (f = heed_format_at(i)); i++) {
        if (!f->reads)
            continue;
        heed_result *r = sample_result(plain, 4);
        const char *path = written(plain, f, r);
        heed_status st = HEED_ENOMEM;
        for (long n = 0; st != HEED_OK; n++) {
            ration m = {.fail_at = n + 1, .last = true};
            heed_allocator alloc = {ration_resize, &m};
            heed_ctx *ctx;
            heed_result *back = NULL;
            st = heed_ctx_new(&ctx, &alloc);
            if (st == HEED_OK)
                st = heed_read(&back, ctx, path);
            assert_true(st == HEED_OK || st == HEED_ENOMEM);
            heed_result_free(back);
            heed_ctx_free(ctx);
            assert_int_equal(m.out, 0);
        }
        heed_result_free(r);
    }
    heed_ctx_free(plain);
}

int main(void)
{
    folder_open();
    const struct CMUnitTest tests[] = {
        test(what_was_written),
        test(refusals),
        test(every_allocation_fails_once),
    };
    int bad = cmocka_run_group_tests_name(__FILE__, tests, NULL, NULL);
    return folder_close(bad);
}
