/* Who made a result, from what, with what: attributes of the root. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli_output.h"

enum { FORMAT_VERSION = 1 };

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#elif defined(__GNUC__)
#define COMPILER "gcc " __VERSION__
#else
#define COMPILER "unknown compiler"
#endif

static void now(char out[32])
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    int64_t fixed;
    time_t t = time(NULL);
    struct tm tm;
    if (epoch && heedi_cli_int_of(epoch, &fixed) && fixed >= 0)
        t = (time_t)fixed;
    if (!gmtime_r(&t, &tm) || !strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm))
        snprintf(out, 32, "unknown");
}

/* The command line as one string; every argument is valid UTF-8 there. */
static heed_status put_command(heedi_cli *c, const heed_sink *s,
                               const char *created)
{
    const char **arg = heedi_cli_calloc(c, c->argc, sizeof *arg);
    size_t size = 64;
    for (int i = 0; i < c->argc; i++)
        size += strlen(c->argv[i]) + 1;
    char *line = heedi_cli_calloc(c, (int64_t)size, 1);
    heed_status st = arg && line ? HEED_OK : HEED_ENOMEM;
    if (st == HEED_OK) {
        size_t n = (size_t)snprintf(line, size, "%s:", created);
        for (int i = 0; i < c->argc; i++) {
            const char *a = c->argv[i];
            bool ok = heedi_cli_utf8_bad(a, (int64_t)strlen(a)) < 0;
            arg[i] = i == 0 ? "heed" : ok ? a : "?";
            n += (size_t)snprintf(line + n, size - n, " %s", arg[i]);
        }
        st = heed_put_str(s, c->ctx, "", "history", line);
    }
    if (st == HEED_OK)
        st = s->attr(s->ud, c->ctx, "", "argv",
                     (heed_attr){HEED_STR, c->argc, arg});
    if (st != HEED_OK && arg && line)
        heedi_cli_lib(c, st);
    free(arg);
    free(line);
    return st;
}

heed_status heedi_cli_hash(heedi_cli *c)
{
    if (c->hashed || c->args.no_hash)
        return HEED_OK;
    HEEDI_LIB(c, heed_model_hash(c->ctx, c->args.model, c->hash[0], c->hash[1],
                                 c->hash[2]));
    c->hashed = true;
    return HEED_OK;
}

static heed_status put_hashes(heedi_cli *c, const heed_sink *s)
{
    static const char *const key[3] = {"weights_sha256", "config_sha256",
                                       "tokenizer_sha256"};
    if (c->args.output || c->args.json) /* else nobody would see them */
        HEEDI_TRY(heedi_cli_hash(c));
    for (int i = 0; i < 3; i++)
        HEEDI_LIB(c, heed_put_str(s, c->ctx, "", key[i], c->hash[i]));
    return HEED_OK;
}

static heed_status put_model(heedi_cli *c, const heed_sink *s)
{
    const heed_model_info *m = heed_model_about(c->model);
    char tokenizer[256] = "";
    if (c->tokenizer) {
        const heed_tokenizer_info *t = heed_tokenizer_about(c->tokenizer);
        snprintf(tokenizer, sizeof tokenizer, "%s%s%s, %lld tokens",
                 t->kind ? t->kind : "", t->pre && *t->pre ? " " : "",
                 t->pre ? t->pre : "", (long long)t->n_tokens);
    }
    const struct {
        const char *key, *value;
    } rows[] = {
        {"model_name", m->name},
        {"model_arch", m->family->name},
        {"dtype_weights", m->dtype},
        {"dtype_compute", sizeof(heed_real) == 4 ? "f32" : "f64"},
        {"rope", m->rope},
        {"tokenizer", tokenizer},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        HEEDI_LIB(c, heed_put_str(s, c->ctx, "", rows[i].key,
                                  rows[i].value ? rows[i].value : ""));
    return put_hashes(c, s);
}

heed_status heedi_cli_provenance(heedi_cli *c, const heed_sink *s,
                                 const heed_tokens *tokens)
{
    char created[32], title[128], build[256], input[65];
    int32_t threads = (int32_t)heed_ctx_thread_count(c->ctx);
    now(created);
    snprintf(title, sizeof title, "heed %s", c->command->name);
    snprintf(build, sizeof build, COMPILER ", %s", heed_build());
    heed_sha256(tokens->text ? tokens->text : "", (size_t)tokens->text_len,
                input);
    if (*c->image_sha256)
        memcpy(input, c->image_sha256, sizeof input);
    const struct {
        const char *key, *value;
    } rows[] = {
        {"Conventions", "CF-1.10"},
        {"title", title},
        {"created", created},
        {"tool", "heed"},
        {"tool_version", heed_version()},
        {"build", build},
        {"input_sha256", input},
    };
    HEEDI_LIB(c, heed_put_str(s, c->ctx, "", "format", "heed"));
    HEEDI_LIB(c, heed_put_int(s, c->ctx, "", "format_version", FORMAT_VERSION));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        HEEDI_LIB(c, heed_put_str(s, c->ctx, "", rows[i].key, rows[i].value));
    HEEDI_TRY(put_command(c, s, created));
    HEEDI_LIB(c, heed_put_int(s, c->ctx, "", "seed", c->args.seed));
    HEEDI_LIB(c, s->attr(s->ud, c->ctx, "", "threads",
                         (heed_attr){HEED_I32, -1, &threads}));
    return c->model ? put_model(c, s) : HEED_OK;
}
