#include "folder.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "memory.h"
#include "sample.h"

static heed_result *sample_result(heed_ctx *ctx, int64_t n)
{
    heed_result *r;
    assert_int_equal(heed_result_new(&r, ctx), HEED_OK);
    heed_sink s = heed_result_sink(r);
    assert_int_equal(sample_all(&s, ctx, n), HEED_OK);
    return r;
}

static heed_status stream(heed_ctx *ctx, const char *path, int64_t n)
{
    heed_file *f;
    heed_status st = heed_file_open(&f, ctx, path, NULL, 1);
    if (st != HEED_OK)
        return st;
    heed_sink s = heed_file_sink(f);
    st = sample_all(&s, ctx, n);
    if (st == HEED_OK)
        return heed_file_close(f);
    heed_file_abort(f);
    return st;
}

static const char *first_extension(const heed_format_info *f)
{
    static char e[16];
    snprintf(e, sizeof e, "%.*s", (int)strcspn(f->extension, " "),
             f->extension);
    return e;
}

static void same_result_same_bytes(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_result *r = sample_result(ctx, 12);
    const heed_format_info *f;
    for (int i = 0; (f = heed_format_at(i)); i++) {
        char name[64], again[64];
        snprintf(name, sizeof name, "same%s", first_extension(f));
        snprintf(again, sizeof again, "again%s", first_extension(f));
        const char *a = in_folder(name), *b = in_folder(again);
        assert_int_equal(heed_write(ctx, a, NULL, 0, r), HEED_OK);
        sleep(i == 0); /* a time stamp would show */
        assert_int_equal(heed_write(ctx, b, f->name, 0, r), HEED_OK);
        assert_same_bytes(a, b);
        assert_int_equal(heed_write(ctx, a, NULL, 0, r), HEED_EOUTPUT);
        assert_non_null(strstr(heed_error(ctx), "exists"));
        assert_int_equal(heed_write(ctx, a, NULL, 1, r), HEED_OK);
        assert_same_bytes(a, b);
        snprintf(name, sizeof name, "same%s.part", first_extension(f));
        assert_int_equal(access(in_folder(name), F_OK), -1);
    }
    assert_null(heed_format_at(-1));
    heed_result_free(r);
    heed_ctx_free(ctx);
}

/* Slabs that go through a file give what a whole result gives, up to order. */
static void streaming(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    const heed_format_info *f;
    for (int i = 0; (f = heed_format_at(i)); i++) {
        char name[64];
        snprintf(name, sizeof name, "stream%s", first_extension(f));
        assert_int_equal(stream(ctx, in_folder(name), 12), HEED_OK);
        snprintf(name, sizeof name, "twice%s", first_extension(f));
        assert_int_equal(stream(ctx, in_folder(name), 12), HEED_OK);
    }
    heed_ctx_free(ctx);
}

static void refusals(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_result *r;
    heed_file *f;
    assert_int_equal(heed_result_new(&r, ctx), HEED_OK);
    assert_int_equal(heed_write(ctx, in_folder("x.docx"), NULL, 0, r),
                     HEED_ENOTSUP);
    assert_non_null(strstr(heed_error(ctx), "x.docx"));
    assert_int_equal(heed_write(ctx, in_folder("x"), "parquet", 0, r),
                     HEED_ENOTSUP);
    assert_non_null(strstr(heed_error(ctx), "parquet"));
    assert_int_equal(heed_write(ctx, "-", "hdf5", 0, r), HEED_ENOTSUP);
    assert_int_equal(heed_file_open(&f, ctx, "", "json", 0), HEED_EOUTPUT);
    assert_null(f);
    const heed_format_info *info;
    for (int i = 0; (info = heed_format_at(i)); i++) {
        assert_int_equal(
            heed_write(ctx, in_folder("no/such/folder"), info->name, 0, r),
            HEED_EOUTPUT);
        assert_non_null(strstr(heed_error(ctx), strerror(ENOENT)));
        assert_null(strstr(heed_error(ctx), ".part"));
        assert_int_equal(heed_write(ctx, folder, info->name, 1, r),
                         HEED_EOUTPUT);
        /* invalid text */
        const char *bad = "\xff";
        const char *path = in_folder("bad");
        assert_int_equal(heed_file_open(&f, ctx, path, info->name, 0), HEED_OK);
        heed_sink s = heed_file_sink(f);
        assert_int_equal(heed_put_str(&s, ctx, "", "key", bad), HEED_EINVAL);
        assert_int_equal(heed_file_close(f), HEED_EOUTPUT);
        assert_int_equal(access(path, F_OK), -1);
        assert_int_equal(heed_file_open(&f, ctx, path, info->name, 0), HEED_OK);
        heed_file_abort(f);
        assert_int_equal(access(path, F_OK), -1);
        assert_int_equal(access(in_folder("bad.part"), F_OK), -1);
    }
    heed_file_abort(NULL);
    heed_result_free(r);
    heed_ctx_free(ctx);
}

/* Many maps whose tiles cross the edge, panel by panel: none stays. */
static void many_maps(void **state)
{
    (void)state;
    enum { MAPS = 80, LEN = 300, PANEL = 256, MIB = 1 << 20 };
    static float x[PANEL * LEN];
    if (SANITIZED) /* what is freed stays */
        skip();
    heed_ctx *ctx = new_ctx();
    heed_file *f;
    const char *path = in_folder("maps.h5");
    const heed_var v = {.group = "attention",
                        .name = "map",
                        .type = HEED_F32,
                        .nd = 3,
                        .dim = {"head", "query", "key"},
                        .len = {MAPS, LEN, LEN}};
    assert_int_equal(heed_file_open(&f, ctx, path, NULL, 1), HEED_OK);
    heed_sink s = heed_file_sink(f);
    assert_int_equal(s.define(s.ud, ctx, &v), HEED_OK);
    uint64_t first = 0;
    for (int64_t k = 0; k < MAPS; k++) {
        for (int64_t r = 0; r < LEN; r += PANEL) {
            const int64_t n = LEN - r < PANEL ? LEN - r : PANEL;
            const int64_t start[] = {k, r, 0}, count[] = {1, n, LEN};
            for (int64_t i = 0; i < n * LEN; i++)
                x[i] = (float)(i * k % 97);
            assert_int_equal(
                s.write(s.ud, ctx, v.group, v.name, start, count, x), HEED_OK);
        }
        first = k == 8 ? heedi_resident() : first;
    }
    assert_true(heedi_resident() < first + 8 * MIB);
    assert_int_equal(heed_file_close(f), HEED_OK);
    heed_ctx_free(ctx);
}

/* A disk that is full, at every size at which it can be. */
static void full_disk(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_result *r = sample_result(ctx, 300);
    const heed_format_info *f;
    struct rlimit old;
    getrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, SIG_IGN);
    for (int i = 0; (f = heed_format_at(i)); i++) {
        const char *path = in_folder("full"), *part = in_folder("full.part");
        const rlim_t sizes[] = {0, 60, 150, 2000, 20000, 80000};
        for (int k = 0; k < (f->streams ? 6 : 3); k++) {
            struct rlimit lim = {sizes[k], old.rlim_max};
            setrlimit(RLIMIT_FSIZE, &lim);
            heed_status st = heed_write(ctx, path, f->name, 1, r);
            setrlimit(RLIMIT_FSIZE, &old);
            assert_int_equal(st, HEED_EOUTPUT);
            assert_non_null(strstr(heed_error(ctx), strerror(EFBIG)));
            assert_int_equal(access(path, F_OK), -1);
            assert_int_equal(access(part, F_OK), -1);
        }
        if (!f->streams) {
            assert_int_equal(heed_write(ctx, "/dev/full", f->name, 1, r),
                             HEED_EOUTPUT);
            assert_non_null(strstr(heed_error(ctx), strerror(ENOSPC)));
        }
    }
    heed_result_free(r);
    heed_ctx_free(ctx);
}

static heed_status put_predictions(const heed_sink *s, heed_ctx *ctx)
{
    static const int64_t pos = 8;
    static const int32_t id[2] = {4, 5};
    static const char *const text[2] = {" a", "\"\n\x01"};
    static const double logit[2] = {1.0 / 3, (double)NAN};
    const struct {
        const char *name;
        heed_type type;
        const void *data;
    } row[] = {{"id", HEED_I32, id},
               {"text", HEED_STR, text},
               {"logit", HEED_F64, logit}};
    TRY_(sample_put(s, ctx, "predictions", "pos", HEED_I64, "row", 1, &pos));
    for (int i = 0; i < 3; i++) {
        const heed_var v = {.group = "predictions",
                            .name = row[i].name,
                            .type = row[i].type,
                            .nd = 2,
                            .dim = {"row", "rank"},
                            .len = {1, 2}};
        TRY_(heed_put(s, ctx, &v, row[i].data));
    }
    return HEED_OK;
}

/* Key order, digits, escapes, NaN; options are an object. */
static void json_text(void **state)
{
    (void)state;
    static const char *const want[] = {
        "{\"format\": \"heed\", \"format_version\": 1, \"model\": {\"model",
        "}, \"run\": {",
        "}, \"input\": {\"text\": \"Marie ",
        "{\"pos\": 0, \"id\": 1, \"text\": \"<s>\", \"byte_start\": 0, "
        "\"byte_end\": 0, \"is_special\": true}",
        "]}, \"explanations\": [{\"method\": \"attn_lrp\", \"target\": {"
        "\"kind\": \"logit\", \"id\": 42, \"text\": \" Paris\", \"pos\": 8}, "
        "\"options\": {\"epsilon\": 1e-6}",
        "\"relevance\": [0.1",
        "\"sum\": 1.5, \"absorbed\": 0.25, \"target_value\": 1.75, "
        "\"conservation_residual\": 0.0, \"ledger\": {\"op_name\": [",
        "{\"method\": \"input_x_gradient\", \"target\": {\"kind\": \"logit\", "
        "\"id\": 43",
        "\"target_value\": null",
        "\"predictions\": [{\"pos\": 8, \"tokens\": [{\"id\": 4, \"text\": "
        "\" a\", \"logit\": 0.333333333}, {\"id\": 5, \"text\": "
        "\"\\\"\\n\\u0001\", \"logit\": null}]}]",
    };
    heed_ctx *ctx = new_ctx();
    heed_result *r = sample_result(ctx, 3);
    heed_sink s = heed_result_sink(r);
    const char *path = in_folder("order.json");
    size_t n;
    assert_int_equal(put_predictions(&s, ctx), HEED_OK);
    assert_int_equal(heed_write(ctx, path, NULL, 0, r), HEED_OK);
    char *text = whole_file(path, &n);
    text[n] = '\0';
    const char *at = text;
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        at = strstr(at, want[i]);
        if (!at)
            print_error("not there, or too early: %s\n", want[i]);
        assert_non_null(at);
    }
    assert_ptr_equal(strchr(text, '\n'), text + n - 1);
    free(text);
    heed_result_free(r);
    heed_ctx_free(ctx);
}

static void csv_text(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_result *r = sample_result(ctx, 3);
    const char *path = in_folder("text.csv");
    size_t n;
    assert_int_equal(heed_write(ctx, path, NULL, 0, r), HEED_OK);
    char *text = whole_file(path, &n);
    text[n] = '\0';
    assert_ptr_equal(strstr(text, "pos,token,token_id,relevance\r\n"), text);
    assert_non_null(strstr(text, "\r\n1,\"Marie\",11,-0.5\r\n"));
    assert_non_null(strstr(text, "\r\n3,\" \"\"was\"\"\",13,0\r\n"));
    assert_non_null(strstr(text, "\r\n6,\"\n\",16,"));
    free(text);
    heed_result_free(r);
    heed_ctx_free(ctx);
}

static void every_allocation_fails_once(void **state)
{
    (void)state;
    const heed_format_info *f;
    for (int i = 0; (f = heed_format_at(i)); i++) {
        char name[64];
        snprintf(name, sizeof name, "nomem%s", first_extension(f));
        const char *path = in_folder(name);
        heed_status st = HEED_ENOMEM;
        long step = 1;
        for (long n = 0; st != HEED_OK; n += step) {
            ration m = {.fail_at = n + 1, .last = true};
            heed_allocator alloc = {ration_resize, &m};
            heed_ctx *ctx;
            st = heed_ctx_new(&ctx, &alloc);
            if (st == HEED_OK)
                st = stream(ctx, path, 4);
            assert_true(st == HEED_OK || st == HEED_ENOMEM);
            assert_int_equal(access(path, F_OK), st == HEED_OK ? 0 : -1);
            heed_ctx_free(ctx);
            assert_int_equal(m.out, 0);
            step = n > 200 ? 37 : 1;
        }
    }
}

int main(int argc, char **argv)
{
    if (argc > 1) { /* for tests/interop.sh: the sample, 300 tokens long */
        heed_ctx *ctx = new_ctx();
        heed_status st = stream(ctx, argv[1], 300);
        if (st != HEED_OK)
            print_error("%s\n", heed_error(ctx));
        heed_ctx_free(ctx);
        return st != HEED_OK;
    }
    folder_open();
    const struct CMUnitTest tests[] = {
        test(same_result_same_bytes),
        test(streaming),
        test(json_text),
        test(csv_text),
        test(refusals),
        test(many_maps),
        test(full_disk),
        test(every_allocation_fails_once),
    };
    int bad = cmocka_run_group_tests_name(__FILE__, tests, NULL, NULL) != 0;
    return folder_close(bad);
}
