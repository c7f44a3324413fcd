/* fuzz_dataset.c - a .jsonl file, as --dataset reads it. */
#include "cli_input.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static heedi_cli c;
    static char path[64], field[] = "text";
    heedi_cli_texts out = {0};
    if (fuzz_begin())
        snprintf(path, sizeof path, "%s/text", fuzz_dir);
    fuzz_put("text", data, size);
    c.args.dataset = path;
    c.args.text_field = field;
    if (fuzz_ok(heedi_cli_dataset_read(&c, &out), c.why) && out.n < 1)
        abort();
    for (int64_t i = 0; i < out.n; i++)
        if (out.v[i].len < 1 || out.v[i].s[out.v[i].len] != '\0' ||
            heedi_cli_utf8_bad(out.v[i].s, out.v[i].len) >= 0)
            abort();
    heedi_cli_texts_free(&out);
    return 0;
}
