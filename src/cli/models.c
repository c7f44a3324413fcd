/* heed models - architectures that this build can load. */
#include "cli_plan.h"

static heed_status run(heedi_cli *c)
{
    const heed_family_info *f;
    json_t *all = c->args.json ? json_array() : NULL;
    for (int i = 0; (f = heed_family_at(i)); i++) {
        if (!all) {
            printf("%s\t%s\t%s\n", f->name, f->method, f->summary);
            continue;
        }
        json_t *j = json_object();
        json_object_set_new(j, "name", heedi_cli_json_text(f->name));
        json_object_set_new(j, "gguf", heedi_cli_json_text(f->gguf));
        json_object_set_new(j, "method", heedi_cli_json_text(f->method));
        json_object_set_new(j, "summary", heedi_cli_json_text(f->summary));
        json_array_append_new(all, j);
    }
    if (!all)
        return HEED_OK;
    return heedi_cli_json_print(c, json_pack("{s:o}", "models", all));
}

const heedi_command heedi_command_models = {
    .name = "models",
    .summary = "list architectures, with the method each is explained by",
    .sets = HEEDI_SET_COMMON,
    .run = run,
};
