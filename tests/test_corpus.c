/* One file of many inputs: what is in it, and that it is whole whatever ends
 * the process. With a path as argument: prints how many inputs it has. */
#include "testlib.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <heed/corpus.h>
#include <heed/file.h>

#ifdef HEEDI_HAVE_HDF5
#include <hdf5.h>
#include <hdf5_hl.h>

#include "folder.h"

static bool absent(const char *path)
{
    return access(path, F_OK) != 0;
}

/* ---- results made by hand ---- */

enum { MOST = 40, LAYERS = 3, OPS = 5 };

static int64_t tokens_of(int64_t i)
{
    return 1 + (i * 7) % 31;
}

static int64_t targets_of(int64_t i)
{
    return 1 + i % 4;
}

static heed_status put(const heed_sink *s, heed_ctx *ctx, const char *group,
                       const char *name, heed_type type, const char *const *dim,
                       const int64_t *len, int nd, const void *data)
{
    heed_var v = {.group = group, .name = name, .type = type, .nd = nd};
    for (int d = 0; d < nd; d++) {
        v.dim[d] = dim[d];
        v.len[d] = len[d];
    }
    return heed_put(s, ctx, &v, data);
}

#define DIMS(...) ((const char *const[]){__VA_ARGS__})
#define LEN(...)  ((const int64_t[]){__VA_ARGS__})
#define G         "explanations/attn_lrp"

static void put_input(heed_ctx *ctx, const heed_sink *s, int64_t i)
{
    static const char *const word[3] = {"Ann", " \xe5\xb1\x85", " sat"};
    const int64_t n = tokens_of(i);
    const char *text = "Ann sat", *token[MOST];
    int32_t id[MOST];
    for (int64_t t = 0; t < n; t++) {
        token[t] = word[(t + i) % 3];
        id[t] = (int32_t)(100 * i + t);
    }
    assert_int_equal(
        put(s, ctx, "input", "text", HEED_STR, NULL, NULL, 0, &text), HEED_OK);
    assert_int_equal(
        put(s, ctx, "input", "token", HEED_STR, DIMS("pos"), LEN(n), 1, token),
        HEED_OK);
    assert_int_equal(
        put(s, ctx, "input", "token_id", HEED_I32, DIMS("pos"), LEN(n), 1, id),
        HEED_OK);
}

static heed_real value(int64_t i, int64_t target, int64_t t)
{
    return (heed_real)(1000 * i + 100 * target + t);
}

/* Explanations with or without a dimension of targets; every third input has
 * an entry of the ledger that the others have not. */
static void put_explanation(heed_ctx *ctx, const heed_sink *s, int64_t i,
                            bool several)
{
    static const char *const op[OPS] = {"embed", "q", "k", "v", "head"};
    const int64_t n = tokens_of(i), m = several ? targets_of(i) : 1;
    static double in[4][OPS], number[4];
    heed_real rows[4 * MOST] = {0}, layers[4 * LAYERS * MOST] = {0};
    for (int64_t k = 0; k < m; k++) {
        number[k] = (double)(10 * i + k);
        for (int64_t t = 0; t < n; t++) {
            rows[k * n + t] = value(i, k, t);
            for (int64_t l = 0; l < LAYERS; l++)
                layers[(k * LAYERS + l) * n + t] =
                    value(i, k, t) / (heed_real)(l + 2);
        }
        for (int o = 0; o < OPS; o++)
            in[k][o] = (double)(i + k + o);
    }
    const bool t2 = m > 1;
    assert_int_equal(put(s, ctx, G, "relevance", HEED_TYPE_REAL,
                         t2 ? DIMS("target", "source") : DIMS("pos"),
                         t2 ? LEN(m, n) : LEN(n), t2 ? 2 : 1, rows),
                     HEED_OK);
    assert_int_equal(
        put(s, ctx, G, "relevance_layer", HEED_TYPE_REAL,
            t2 ? DIMS("target", "layer", "source") : DIMS("layer", "pos"),
            t2 ? LEN(m, LAYERS, n) : LEN(LAYERS, n), t2 ? 3 : 2, layers),
        HEED_OK);
    assert_int_equal(put(s, ctx, G "/ledger", "op_name", HEED_STR, DIMS("op"),
                         LEN(OPS), 1, op),
                     HEED_OK);
    assert_int_equal(put(s, ctx, G "/ledger", i % 3 ? "residual" : "sink_kappa",
                         HEED_F64, t2 ? DIMS("target", "op") : DIMS("op"),
                         t2 ? LEN(m, OPS) : LEN(OPS), t2 ? 2 : 1, in),
                     HEED_OK);
    assert_int_equal(heed_put_str(s, ctx, G, "method", "attn_lrp"), HEED_OK);
    assert_int_equal(s->attr(s->ud, ctx, G, "target_value",
                             (heed_attr){HEED_F64, t2 ? m : -1, number}),
                     HEED_OK);
}

static heed_result *input_of(heed_ctx *ctx, int64_t i, bool several)
{
    heed_result *r;
    assert_int_equal(heed_result_new(&r, ctx), HEED_OK);
    heed_sink s = heed_result_sink(r);
    assert_int_equal(heed_put_str(&s, ctx, "", "input_sha256", "abc"), HEED_OK);
    put_input(ctx, &s, i);
    put_explanation(ctx, &s, i, several);
    return r;
}

static heed_result *run_of(heed_ctx *ctx, const char *model)
{
    static const char *const argv[2] = {"heed", "attribute"};
    heed_result *r;
    assert_int_equal(heed_result_new(&r, ctx), HEED_OK);
    heed_sink s = heed_result_sink(r);
    assert_int_equal(heed_put_str(&s, ctx, "", "format", "heed"), HEED_OK);
    assert_int_equal(heed_put_str(&s, ctx, "", "created", "now"), HEED_OK);
    assert_int_equal(heed_put_str(&s, ctx, "", "model_name", model), HEED_OK);
    assert_int_equal(
        s.attr(s.ud, ctx, "", "argv", (heed_attr){HEED_STR, 2, argv}), HEED_OK);
    return r;
}

/* Inputs up to `end`, from where the file stands; says so after each. */
static heed_status fill(heed_ctx *ctx, const char *path, int64_t end,
                        bool several, int tell)
{
    heed_result *run = run_of(ctx, "m");
    heed_corpus *c;
    int64_t i;
    heed_status st = heed_corpus_open(&c, ctx, path, run, several, 0, &i);
    for (; st == HEED_OK && i < end; i++) {
        heed_result *r = input_of(ctx, i, several);
        st = heed_corpus_add(c, r);
        heed_result_free(r);
        if (st == HEED_OK && tell >= 0 && write(tell, &i, sizeof i) < 0)
            _exit(9);
    }
    heed_corpus_close(c);
    heed_result_free(run);
    return st;
}

/* ---- reading, with HDF5's own driver ---- */

/* Lengths of a dataset; a tree whose arrays do not have the lengths of their
 * scales fails. */
static hsize_t length(hid_t file, const char *name, int d)
{
    hsize_t len[8] = {0};
    hid_t id = H5Dopen2(file, name, H5P_DEFAULT), space = H5Dget_space(id);
    assert_true(id >= 0);
    H5Sget_simple_extent_dims(space, len, NULL);
    H5Sclose(space);
    H5Dclose(id);
    return len[d];
}

static void read_all(hid_t file, const char *name, hid_t type, void *out)
{
    hid_t id = H5Dopen2(file, name, H5P_DEFAULT);
    assert_true(id >= 0);
    assert_true(H5Dread(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) >= 0);
    H5Dclose(id);
}

static herr_t fits(hid_t id, unsigned d, hid_t scale, void *ud)
{
    hsize_t a[8], b[8];
    hid_t x = H5Dget_space(id), y = H5Dget_space(scale);
    (void)ud;
    H5Sget_simple_extent_dims(x, a, NULL);
    H5Sget_simple_extent_dims(y, b, NULL);
    H5Sclose(x);
    H5Sclose(y);
    return a[d] == b[0] ? 0 : -1;
}

/* Opens every object and reads every value; -1 if anything is wrong. */
static herr_t look(hid_t group, const char *name, const H5L_info_t *info,
                   void *ud)
{
    char buffer[1 << 14];
    (void)info;
    (void)ud;
    hid_t id = H5Oopen(group, name, H5P_DEFAULT);
    if (id < 0)
        return -1;
    herr_t bad = 0;
    if (H5Iget_type(id) == H5I_DATASET) {
        hid_t space = H5Dget_space(id), type = H5Dget_type(id);
        hid_t memory = H5Tget_native_type(type, H5T_DIR_DEFAULT);
        hssize_t n = H5Sget_simple_extent_npoints(space);
        size_t size = (size_t)n * H5Tget_size(memory);
        void *p = size > sizeof buffer ? malloc(size) : buffer;
        bad =
            H5Dread(id, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, p) < 0 ? -1 : 0;
        if (!bad && H5Tis_variable_str(memory) > 0)
            H5Dvlen_reclaim(memory, space, H5P_DEFAULT, p);
        if (p != buffer)
            free(p);
        for (int d = 0;
             !bad && !H5DSis_scale(id) && d < H5Sget_simple_extent_ndims(space);
             d++) {
            if (H5DSget_num_scales(id, (unsigned)d) != 1 ||
                H5DSiterate_scales(id, (unsigned)d, NULL, fits, NULL) < 0)
                bad = -1;
        }
        H5Tclose(memory);
        H5Tclose(type);
        H5Sclose(space);
    }
    H5Oclose(id);
    return bad;
}

/* Inputs in a file that is whole; -1 if it is not. */
static int64_t inputs_in(const char *path)
{
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (file < 0)
        return -1;
    int64_t n = H5Lvisit(file, H5_INDEX_NAME, H5_ITER_INC, look, NULL) < 0
                    ? -1
                    : (int64_t)length(file, "sample", 0);
    H5Fclose(file);
    return n;
}

/* ---- tests ---- */

static void one_target_each(void **state)
{
    (void)state;
    enum { N = 9 };
    heed_ctx *ctx = new_ctx();
    const char *path = in_folder("one.h5");
    assert_int_equal(fill(ctx, path, N, false, -1), HEED_OK);
    assert_int_equal(inputs_in(path), N);
    assert_true(absent(in_folder("one.h5.part")));
    hid_t f = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    const hsize_t rows = length(f, "token_row", 0);
    int64_t start[N], size[N], at = 0;
    double sink[N][OPS], rest[N][OPS], target[N];
    heed_real *r = malloc(rows * sizeof *r),
              *l = malloc(LAYERS * rows * sizeof *l);
    hid_t real = sizeof(heed_real) == 4 ? H5T_NATIVE_FLOAT : H5T_NATIVE_DOUBLE;
    read_all(f, "input/sample_start", H5T_NATIVE_INT64, start);
    read_all(f, "input/sample_size", H5T_NATIVE_INT64, size);
    read_all(f, G "/relevance", real, r);
    read_all(f, G "/relevance_layer", real, l);
    read_all(f, G "/target_value", H5T_NATIVE_DOUBLE, target);
    read_all(f, G "/ledger/sink_kappa", H5T_NATIVE_DOUBLE, sink);
    read_all(f, G "/ledger/residual", H5T_NATIVE_DOUBLE, rest);
    for (int64_t i = 0; i < N; i++) {
        assert_int_equal(start[i], at);
        assert_int_equal(size[i], tokens_of(i));
        assert_true(target[i] == (double)(10 * i));
        for (int64_t t = 0; t < size[i]; t++) {
            assert_true(r[at + t] == value(i, 0, t));
            assert_true(l[2 * (int64_t)rows + at + t] == value(i, 0, t) / 4);
        }
        /* what an input does not have */
        assert_true(sink[i][1] == (i % 3 ? 0 : (double)(i + 1)));
        assert_true(i % 3 ? rest[i][1] == (double)(i + 1) : isnan(rest[i][1]));
        at += size[i];
    }
    assert_int_equal(at, rows);
    free(r);
    free(l);
    H5Fclose(f);
    heed_ctx_free(ctx);
}

static void several_targets(void **state)
{
    (void)state;
    enum { N = 9 };
    heed_ctx *ctx = new_ctx();
    const char *path = in_folder("several.h5");
    assert_int_equal(fill(ctx, path, N, true, -1), HEED_OK);
    assert_int_equal(inputs_in(path), N);
    hid_t f = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    const hsize_t maps = length(f, "map_row", 0),
                  n = length(f, "target_row", 0);
    hid_t real = sizeof(heed_real) == 4 ? H5T_NATIVE_FLOAT : H5T_NATIVE_DOUBLE;
    heed_real *r = malloc(maps * sizeof *r),
              *l = malloc(LAYERS * maps * sizeof *l);
    int64_t *whose = malloc(maps * sizeof *whose), of[64];
    int64_t *token = malloc(maps * sizeof *token), first[N], start[N];
    read_all(f, G "/relevance", real, r);
    read_all(f, G "/relevance_layer", real, l);
    read_all(f, "input/map_target", H5T_NATIVE_INT64, whose);
    read_all(f, "input/map_token", H5T_NATIVE_INT64, token);
    read_all(f, "input/target_sample", H5T_NATIVE_INT64, of);
    read_all(f, "input/target_start", H5T_NATIVE_INT64, first);
    read_all(f, "input/sample_start", H5T_NATIVE_INT64, start);
    assert_int_equal(length(f, G "/target_value", 0), n);
    assert_int_equal(length(f, G "/ledger/residual", 0), n);
    for (int64_t k = 0; k < (int64_t)maps; k++) {
        const int64_t i = of[whose[k]];
        const heed_real want =
            value(i, whose[k] - first[i], token[k] - start[i]);
        assert_true(r[k] == want);
        assert_true(l[(int64_t)maps + k] == want / 3);
    }
    free(r);
    free(l);
    free(whose);
    free(token);
    H5Fclose(f);
    heed_ctx_free(ctx);
}

static void refusals(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    const char *path = in_folder("refused.h5");
    heed_result *run = run_of(ctx, "other"), *r;
    heed_corpus *c;
    int64_t done;
    assert_int_equal(fill(ctx, path, 3, false, -1), HEED_OK);
    assert_int_equal(heed_corpus_open(&c, ctx, path, run, 0, 0, &done),
                     HEED_EOUTPUT);
    assert_non_null(
        strstr(heed_error(ctx), "model_name is 'm' there and 'other' here"));
    assert_true(absent(in_folder("refused.h5.part")));
    assert_int_equal(inputs_in(path), 3);
    /* anew, with force; the old one is there until the first input */
    assert_int_equal(heed_corpus_open(&c, ctx, path, run, 0, 1, &done),
                     HEED_OK);
    assert_int_equal(done, 0);
    assert_int_equal(inputs_in(path), 3);
    heed_corpus *second;
    assert_int_equal(heed_corpus_open(&second, ctx, path, run, 0, 1, &done),
                     HEED_EOUTPUT);
    assert_non_null(strstr(heed_error(ctx), "another process"));
    r = input_of(ctx, 0, false);
    assert_int_equal(heed_corpus_add(c, r), HEED_OK);
    assert_int_equal(inputs_in(path), 1);
    heed_sink s = heed_result_sink(r);
    heed_real map[4] = {1, 0, 1, 1};
    assert_int_equal(put(&s, ctx, "attention", "attention", HEED_TYPE_REAL,
                         DIMS("layer", "head", "query", "key"), LEN(1, 1, 2, 2),
                         4, map),
                     HEED_OK);
    assert_int_equal(heed_corpus_add(c, r), HEED_ENOTSUP);
    assert_non_null(strstr(heed_error(ctx), "attention/attention"));
    assert_int_equal(inputs_in(path), 1);
    heed_corpus_close(c);
    heed_result_free(r);
    heed_result_free(run);
    FILE *f = fopen(path, "wb");
    fputs("no HDF5", f);
    fclose(f);
    run = run_of(ctx, "m");
    assert_int_equal(heed_corpus_open(&c, ctx, path, run, 0, 0, &done),
                     HEED_EOUTPUT);
    assert_non_null(strstr(heed_error(ctx), "no file of many inputs"));
    heed_result_free(run);
    heed_ctx_free(ctx);
}

/* A reader that has the file open keeps what it has. */
static void readers_keep_theirs(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    const char *path = in_folder("read.h5");
    assert_int_equal(fill(ctx, path, 2, false, -1), HEED_OK);
    hid_t f = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(f >= 0);
    assert_int_equal(fill(ctx, path, 12, false, -1), HEED_OK);
    assert_int_equal(H5Lvisit(f, H5_INDEX_NAME, H5_ITER_INC, look, NULL), 0);
    assert_int_equal(length(f, "sample", 0), 2);
    H5Fclose(f);
    assert_int_equal(inputs_in(path), 12);
    assert_int_equal(fill(ctx, in_folder("alone.h5"), 12, false, -1), HEED_OK);
    assert_same_bytes(path, in_folder("alone.h5"));
    heed_ctx_free(ctx);
}

static void a_full_disk_loses_nothing(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    const char *path = in_folder("full.h5");
    struct rlimit old, small;
    assert_int_equal(fill(ctx, path, 4, false, -1), HEED_OK);
    getrlimit(RLIMIT_FSIZE, &old);
    small = old;
    small.rlim_cur = 1 << 18;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    heed_status st = fill(ctx, path, 1000, false, -1);
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(st, HEED_EOUTPUT);
    assert_non_null(strstr(heed_error(ctx), strerror(EFBIG)));
    assert_true(absent(in_folder("full.h5.part")));
    int64_t n = inputs_in(path);
    assert_true(n >= 4 && n < 1000);
    assert_int_equal(fill(ctx, path, n + 30, false, -1), HEED_OK);
    assert_int_equal(fill(ctx, in_folder("roomy.h5"), n + 30, false, -1),
                     HEED_OK);
    assert_same_bytes(path, in_folder("roomy.h5"));
    heed_ctx_free(ctx);
}

/* A child is killed at some moment while it adds inputs. */
static int64_t killed(const char *path, int64_t end, unsigned wait_us)
{
    int tell[2];
    int64_t i, last = -1;
    assert_int_equal(pipe(tell), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        heed_ctx *ctx;
        if (heed_ctx_new(&ctx, NULL) != HEED_OK)
            _exit(8);
        _exit(fill(ctx, path, end, true, tell[1]) == HEED_OK ? 0 : 7);
    }
    close(tell[1]);
    usleep(wait_us);
    kill(child, SIGKILL);
    int status;
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    while (read(tell[0], &i, sizeof i) == sizeof i)
        last = i;
    close(tell[0]);
    return last;
}

static void kills_lose_nothing(void **state)
{
    (void)state;
    enum { N = 60, KILLS = 40 };
    heed_ctx *ctx = new_ctx();
    const char *path = in_folder("killed.h5");
    unsigned random = 12345;
    int kills = 0;
    for (; kills < KILLS; kills++) {
        random = random * 1103515245u + 12345u;
        const int64_t last = killed(path, N, random >> 16 & 0x3fff);
        if (absent(path)) {
            assert_true(last < 0);
            continue;
        }
        const int64_t n = inputs_in(path);
        if (n < 0 || n <= last)
            fail_msg("after kill %d: %lld inputs, %lld were finished", kills,
                     (long long)n, (long long)last + 1);
        if (n == N)
            break;
    }
    assert_true(kills > 2);
    assert_int_equal(fill(ctx, path, N, true, -1), HEED_OK);
    assert_int_equal(fill(ctx, in_folder("whole.h5"), N, true, -1), HEED_OK);
    assert_same_bytes(path, in_folder("whole.h5"));
    heed_ctx_free(ctx);
}

static int setup(void **state)
{
    (void)state;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
    static const char *const left[] = {
        "one.h5",  "several.h5", "refused.h5", "read.h5",        "alone.h5",
        "full.h5", "roomy.h5",   "killed.h5",  "killed.h5.part", "whole.h5"};
    (void)state;
    for (size_t i = 0; i < sizeof left / sizeof *left; i++)
        unlink(in_folder(left[i]));
    return rmdir(folder);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_target_each),
        cmocka_unit_test(several_targets),
        cmocka_unit_test(refusals),
        cmocka_unit_test(readers_keep_theirs),
        cmocka_unit_test(a_full_disk_loses_nothing),
        cmocka_unit_test(kills_lose_nothing),
    };
    if (argc > 1) {
        H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
        int64_t n = inputs_in(argv[1]);
        printf("%lld\n", (long long)n);
        return n < 0;
    }
    return cmocka_run_group_tests(tests, setup, teardown) != 0;
}

#else

static void without_hdf5(void **state)
{
    (void)state;
    heed_ctx *ctx = new_ctx();
    heed_corpus *c;
    int64_t done;
    assert_int_equal(heed_corpus_open(&c, ctx, "a.h5", NULL, 0, 0, &done),
                     HEED_ENOTSUP);
    assert_non_null(strstr(heed_error(ctx), "hdf5"));
    heed_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(without_hdf5)};
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}

#endif
