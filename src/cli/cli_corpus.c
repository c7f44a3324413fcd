#include "cli_corpus.h"

#include <string.h>
#include <unistd.h>

#include "cli_output.h"

bool heedi_cli_is_corpus(const heedi_args *a)
{
    return a->dataset && a->output && !a->per_file;
}

static bool is_hdf5(const heedi_args *a)
{
    static const char *const known[] = {".h5", ".hdf5", ".nc"};
    const size_t n = strlen(a->output);
    if (a->format)
        return heedi_cli_listed(a->format, ' ', "hdf5");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t m = strlen(known[i]);
        if (n > m && heedi_cli_same_name(a->output + n - m, known[i], m))
            return true;
    }
    return false;
}

heed_status heedi_cli_corpus_check(heedi_cli *c)
{
    const heedi_args *a = &c->args;
    if (!*a->output)
        return heedi_cli_fail(c, HEED_EINVAL, "--output '': the path is empty");
    if (!is_hdf5(a))
        return heedi_cli_fail(c, HEED_ENOTSUP,
                              "--output '%s': the file of a data set is HDF5 "
                              "(.h5); --per-file writes one of any format for "
                              "each input",
                              a->output);
    return HEED_OK;
}

/* The root of the file: what is the same for all inputs. */
static heed_status describe(heedi_cli *c, int64_t n, heedi_cli_corpus *k)
{
    const heed_tokens none = {0};
    HEEDI_LIB(c, heed_result_new(&k->run, c->ctx));
    const heed_sink s = heed_result_sink(k->run);
    HEEDI_TRY(heedi_cli_provenance(c, &s, &none));
    HEEDI_LIB(c, heed_put_str(&s, c->ctx, "", "input_sha256", c->dataset_hash));
    HEEDI_LIB(c, heed_put_int(&s, c->ctx, "", "inputs", n));
    return HEED_OK;
}

heed_status heedi_cli_corpus_open(heedi_cli *c, int64_t n,
                                  heedi_cli_corpus *out)
{
    const heedi_args *a = &c->args;
    heed_quiet_files();
    HEEDI_TRY(describe(c, n, out));
    const int several =
        heedi_cli_has_continuation(a) || a->at.n < 0 || a->at.n > 1;
    HEEDI_LIB(c, heed_corpus_open(&out->file, c->ctx, a->output, out->run,
                                  several, a->force, &out->done));
    if (out->done > 0 && a->no_hash)
        return heedi_cli_fail(c, HEED_EOUTPUT,
                              "%s: has %lld inputs; with --no-hash nobody "
                              "knows whether the model is the same; --force "
                              "starts anew",
                              a->output, (long long)out->done);
    if (out->done > 0)
        heedi_cli_say(c, "%s: has %lld of %lld inputs; goes on", a->output,
                      (long long)out->done, (long long)n);
    return HEED_OK;
}

heed_status heedi_cli_corpus_add(heedi_cli *c, heedi_cli_corpus *k,
                                 const heed_result *r)
{
    HEEDI_LIB(c, heed_corpus_add(k->file, r));
    k->done++;
    return HEED_OK;
}

void heedi_cli_corpus_close(heedi_cli_corpus *k)
{
    heed_corpus_close(k->file);
    heed_result_free(k->run);
    *k = (heedi_cli_corpus){0};
}
