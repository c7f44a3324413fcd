/* Headers, indices and configurations that are wrong. */
#include "damage.h"

static void put_safetensors(const char *name, const char *header, uint64_t len,
                            size_t data)
{
    unsigned char b[MAX] = {0};
    size_t n = strlen(header);
    memcpy(b, &len, sizeof len);
    memcpy(b + sizeof len, header, n);
    put_file(name, b, sizeof len + n + data);
}

#define T(name, dtype, shape, offsets)                       \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape \
    ",\"data_offsets\":" offsets "}"

static void test_safetensors(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t data;
        heed_status st;
        const char *text;
    } rows[] = {
        {"{" T("a", "F32", "[2]", "[0,8]") "}", 8, HEED_OK, ""},
        {"{" T("a", "F32", "[2]", "[0,8]") "}   ", 8, HEED_OK, ""},
        {"{}", 0, HEED_OK, ""},
        {"", 0, HEED_EFORMAT, "line 1"},
        {"[]", 0, HEED_EFORMAT, "not a JSON object"},
        {"{", 0, HEED_EFORMAT, "line 1"},
        {"{} x", 0, HEED_EFORMAT, "line 1"},
        {"{\"a\":NaN}", 0, HEED_EFORMAT, "line 1"},
        {"{\"a\":\"\xff\"}", 0, HEED_EFORMAT, "line 1"},
        {"{\"a\":1}", 0, HEED_EFORMAT, "no object for a"},
        {"{\"__metadata__\":1}", 0, HEED_EFORMAT, "no object for __metadata"},
        {"{\"a\\u0000b\":{}}", 0, HEED_EFORMAT, "NUL"},
        {"{\"a\\nb\":{}}", 0, HEED_EFORMAT, "name of a tensor has byte 10"},
        {"{" T("a", "F32", "[1]", "[0,4]") "," T("a", "F32", "[1]",
                                                 "[4,8]") "}",
         8, HEED_EFORMAT, "duplicate"},
        {"{" T("a", "F33", "[2]", "[0,8]") "}", 8, HEED_ENOTSUP,
         "tensor a: dtype F33"},
        {"{" T("a", "F8_E4M3", "[8]", "[0,8]") "}", 8, HEED_ENOTSUP,
         "tensor a: dtype F8_E4M3"},
        {"{" T("a", "F32\\u0000", "[2]", "[0,8]") "}", 8, HEED_ENOTSUP,
         "dtype"},
        {"{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8, HEED_EFORMAT,
         "no dtype"},
        {"{\"a\":{\"dtype\":3}}", 8, HEED_EFORMAT, "no dtype"},
        {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", 8, HEED_EFORMAT,
         "no shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, HEED_EFORMAT,
         "not two integers"},
        {"{" T("a", "F32", "2", "[0,8]") "}", 8, HEED_EFORMAT, "no shape"},
        {"{" T("a", "F32", "[-2]", "[0,8]") "}", 8, HEED_EFORMAT,
         "not a count"},
        {"{" T("a", "F32", "[2.0]", "[0,8]") "}", 8, HEED_EFORMAT,
         "not a count"},
        {"{" T("a", "F32", "[1,1,1,1,1,2]", "[0,8]") "}", 8, HEED_ENOTSUP,
         "6 dimensions"},
        {"{" T("a", "F32", "[4611686018427387904,4]", "[0,8]") "}", 8,
         HEED_EFORMAT, "does not fit 64 bits"},
        {"{" T("a", "F32", "[4611686018427387904]", "[0,8]") "}", 8,
         HEED_EFORMAT, "does not fit 64 bits"},
        {"{" T("a", "F32", "[9223372036854775808]", "[0,8]") "}", 8,
         HEED_EFORMAT, "too big integer"},
        {"{" T("a", "F32", "[2]", "[0,7]") "}", 8, HEED_EFORMAT,
         "has 7 bytes, its shape needs 8"},
        {"{" T("a", "F32", "[2]", "[8,0]") "}", 8, HEED_EFORMAT,
         "at bytes 8 to 0 of 8"},
        {"{" T("a", "F32", "[2]", "[-8,0]") "}", 8, HEED_EFORMAT,
         "at bytes -8 to 0"},
        {"{" T("a", "F32", "[2]", "[4,12]") "}", 8, HEED_EFORMAT,
         "at bytes 4 to 12 of 8"},
        {"{" T("a", "F32", "[2]", "[0,9223372036854775807]") "}", 8,
         HEED_EFORMAT, "to 9223372036854775807 of 8"},
        {"{" T("a", "F32", "[2]",
               "[9223372036854775800,9223372036854775807]") "}",
         8, HEED_EFORMAT, "at bytes 9223372036854775800"},
        {"{" T("a", "F32", "[2]", "[0,8.0]") "}", 8, HEED_EFORMAT,
         "not two integers"},
        {"{" T("a", "F32", "[2]", "[0,8,8]") "}", 8, HEED_EFORMAT,
         "not two integers"},
        {"{" T("a", "F32", "[2]", "{}") "}", 8, HEED_EFORMAT,
         "not two integers"},
        {"{" T("a", "F32", "[2]", "[0,8]") "}", 9, HEED_EFORMAT,
         "1 bytes at the end belong to no tensor"},
        {"{" T("a", "F32", "[2]", "[4,12]") "}", 12, HEED_EFORMAT,
         "4 bytes before tensor a belong to none"},
        {"{" T("a", "F32", "[2]", "[0,8]") "," T("b", "F32", "[2]",
                                                 "[4,12]") "}",
         12, HEED_EFORMAT, "tensors a and b overlap"},
        {"{" T("a", "F32", "[2]", "[0,8]") "," T("b", "F32", "[2]",
                                                 "[0,8]") "}",
         8, HEED_EFORMAT, "overlap"},
        {"{" T("a", "F32", "[2]", "[0,8]") "," T("b", "F32", "[0]",
                                                 "[4,4]") "}",
         8, HEED_EFORMAT, "tensors a and b overlap"},
        {"{" T("a", "F32", "[2]", "[0,8]") "," T(
             "b", "F32", "[0]", "[0,0]") "," T("c", "F32", "[0]", "[8,8]") "}",
         8, HEED_OK, ""},
    };
    put_file("config.json", "{\"model_type\":\"tiny\"}", 21);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *h = rows[i].header;
        put_safetensors("model.safetensors", h, strlen(h), rows[i].data);
        if (rows[i].st == HEED_OK)
            accepted(dir);
        else
            refused(dir, rows[i].st, rows[i].text);
    }
}

static void test_safetensors_cut(void **state)
{
    (void)state;
    static const char h[] = "{" T("a", "F32", "[2]", "[0,8]") "}";
    static const uint64_t lens[] = {0,
                                    sizeof h - 2,
                                    sizeof h,
                                    sizeof h + 7,
                                    sizeof h + 8,
                                    (uint64_t)1 << 32,
                                    (uint64_t)1 << 63,
                                    UINT64_MAX,
                                    UINT64_MAX - 7};
    unsigned char b[MAX] = {sizeof h - 1};
    memcpy(b + 8, h, sizeof h);
    for (size_t n = 0; n < 8 + sizeof h - 1 + 8; n++) {
        put_file("model.safetensors", b, n);
        refused(dir, HEED_EFORMAT, n ? "" : "is empty");
    }
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        put_safetensors("model.safetensors", h, lens[i], 8);
        refused(dir, HEED_EFORMAT, "");
    }
    put_safetensors("model.safetensors", h, sizeof h - 1, 8);
    accepted(dir);
}

static void test_config(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        const char *text;
    } rows[] = {
        {"", "is empty"},
        {"{", "config.json: line 1"},
        {"[]", "not a JSON object"},
        {"{}", "config.json has no model_type"},
        {"{\"model_type\":3}", "config.json has no model_type"},
        {"{\"model_type\":\"a\",\"model_type\":\"b\"}", "duplicate"},
        {"{\"model_type\":\"a\",\"x\":Infinit}", "line 1"},
        {"{\"model_type\":\"a\",\"x\":-}", "line 1"},
        {"{\"model_type\":\"a\",\"x\":\"", "line 1"},
        {"{\"model_type\":\"a\",\"x\":\"\\", "line 1"},
        {"{\"model_type\":\"a\",\"x\":1e999}", "line 1"},
        {"{\"model_type\":\"a\",\"x\":InfinityNaN}", "line 1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        put_file("config.json", rows[i].json, strlen(rows[i].json));
        refused(dir, HEED_EFORMAT, rows[i].text);
    }
    char deep[3000];
    memset(deep, '[', sizeof deep);
    memcpy(deep, "{\"model_type\":", 14);
    put_file("config.json", deep, sizeof deep);
    refused(dir, HEED_EFORMAT, "depth");
    put_file("config.json", "{\"model_type\":\"tiny\"}", 21);
}

#define MAP(rows) "{\"weight_map\":{" rows "}}"

static void test_index(void **state)
{
    (void)state;
    static const char index[] = "model.safetensors.index.json";
    static const struct {
        const char *json;
        heed_status st;
        const char *text;
    } rows[] = {
        {MAP("\"a\":\"x\",\"b\":\"y\""), HEED_OK, ""},
        {MAP("\"a\":\"x\""), HEED_OK, ""},
        {MAP(""), HEED_EFORMAT, "no weight_map"},
        {"{}", HEED_EFORMAT, "no weight_map"},
        {"{\"weight_map\":[1]}", HEED_EFORMAT, "no weight_map"},
        {MAP("\"a\":1"), HEED_EFORMAT, "no name of a file for a"},
        {MAP("\"a\":\"x\\u0000\""), HEED_EFORMAT, "no name of a file for a"},
        {MAP("\"a\":\"../x\""), HEED_EFORMAT, "shard ../x of tensor a"},
        {MAP("\"a\":\"/etc/passwd\""), HEED_EFORMAT, "not the plain name"},
        {MAP("\"a\":\"..\""), HEED_EFORMAT, "not the plain name"},
        {MAP("\"a\":\"\""), HEED_EFORMAT, "not the plain name"},
        {MAP("\"a\":\".\""), HEED_EIO, "is a directory"},
        {MAP("\"a\":\"x\",\"c\":\"z\""), HEED_EIO, "/z: No such file"},
        {MAP("\"a\":\"x\",\"c\":\"x\""), HEED_EFORMAT,
         "the index places tensor c in x, which does not have it"},
        {MAP("\"a\":\"x\",\"b\":\"x\",\"c\":\"y\""), HEED_EFORMAT,
         "tensor b is in y and, by the index, in x"},
        {MAP("\"a\":\"x\",\"c\":\"x2\""), HEED_EFORMAT, "a is in x2"},
        {MAP("\"b\":\"y\",\"d\":\"y2\""), HEED_EFORMAT,
         "tensor e occurs twice"},
    };
    remove(in_dir("model.safetensors"));
    put_file("pytorch_model.bin", "PK\3\4", 4);
    refused(dir, HEED_EFORMAT, "pytorch_model.bin: no zip file, or cut");
    const char *h = "{" T("a", "F32", "[1]", "[0,4]") "}";
    put_safetensors("x", h, strlen(h), 4);
    put_safetensors("x2", h, strlen(h), 4);
    h = "{" T("b", "F32", "[1]", "[0,4]") "," T("e", "F32", "[0]", "[0,0]") "}";
    put_safetensors("y", h, strlen(h), 4);
    h = "{" T("d", "F32", "[1]", "[0,4]") "," T("e", "F32", "[0]", "[0,0]") "}";
    put_safetensors("y2", h, strlen(h), 4);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        put_file(index, rows[i].json, strlen(rows[i].json));
        if (rows[i].st == HEED_OK)
            accepted(dir);
        else
            refused(dir, rows[i].st, rows[i].text);
    }
    remove(in_dir(index));
    remove(in_dir("pytorch_model.bin"));
    refused(dir, HEED_EIO,
            "no model.safetensors and no pytorch_model.bin in it");
}

int main(void)
{
    const struct CMUnitTest tests[] = {test(test_safetensors),
                                       test(test_safetensors_cut),
                                       test(test_config), test(test_index)};
    return cmocka_run_group_tests_name(__FILE__, tests, setup, teardown) != 0;
}
