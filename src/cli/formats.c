/* heed formats - result files and pictures that this build can write. */
#include "cli_plan.h"

static json_t *row(const char *name, const char *extension, const char *summary)
{
    json_t *j = json_object();
    json_object_set_new(j, "name", heedi_cli_json_text(name));
    json_object_set_new(j, "extension", heedi_cli_json_text(extension));
    json_object_set_new(j, "summary", heedi_cli_json_text(summary));
    return j;
}

static heed_status run(heedi_cli *c)
{
    const heed_format_info *f;
    const heed_figure_info *g;
    json_t *formats = c->args.json ? json_array() : NULL;
    json_t *figures = c->args.json ? json_array() : NULL;
    for (int i = 0; (f = heed_format_at(i)); i++) {
        if (formats)
            json_array_append_new(formats,
                                  row(f->name, f->extension, f->summary));
        else
            printf("%s\t%s\t%s\n", f->name, f->extension, f->summary);
    }
    for (int i = 0; (g = heed_figure_at(i)); i++) {
        if (figures)
            json_array_append_new(figures,
                                  row(g->name, ".png .svg .pdf", g->summary));
        else
            printf("%s\t.png .svg .pdf\t%s\n", g->name, g->summary);
    }
    if (!formats)
        return HEED_OK;
    return heedi_cli_json_print(
        c, json_pack("{s:o, s:o}", "formats", formats, "figures", figures));
}

const heedi_command heedi_command_formats = {
    .name = "formats",
    .summary = "list formats of result files, and pictures",
    .sets = HEEDI_SET_COMMON,
    .run = run,
};
