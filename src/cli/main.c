/* The command: the table of subcommands, and one run of one of them. */
#include <errno.h>
#include <string.h>

#include "cli.h"
#include "cli_help.h"

#define ROW(name) extern const heedi_command heedi_command_##name;
#include "commands.inc"
#undef ROW

const heedi_command *const heedi_commands[] = {
#define ROW(name) &heedi_command_##name,
#include "commands.inc"
#undef ROW
    NULL,
};

const heedi_command *heedi_cli_command_find(heedi_cli *c, const char *name)
{
    heedi_near near = {.word = name};
    for (int i = 0; heedi_commands[i]; i++) {
        if (heedi_cli_listed(heedi_commands[i]->name, ' ', name))
            return heedi_commands[i];
        heedi_cli_near_offer(&near, heedi_commands[i]->name);
    }
    if (near.best)
        heedi_cli_fail(c, HEED_EINVAL,
                       "'%s': unknown command; the nearest is %s", name,
                       near.best);
    else
        heedi_cli_fail(c, HEED_EINVAL,
                       "'%s': unknown command; `heed help` lists them", name);
    return NULL;
}

/* What the process as a whole needs before the first model is loaded. The
 * number of threads is settled first: tuning may bind this thread to one
 * processor, which must not count as all there are. */
static heed_status tune_process(heedi_cli *c)
{
    HEEDI_LIB(c, heed_ctx_threads(c->ctx, (int)c->args.threads));
    int n = heed_ctx_thread_count(c->ctx);
    HEEDI_LIB(c, heed_ctx_threads(c->ctx, n < 4096 ? n : 4096));
    heed_ctx_max_memory(c->ctx, c->args.max_memory);
    if (c->command->sets & HEEDI_SET_MODEL)
        heed_tune_process(c->ctx);
    return HEED_OK;
}

static heed_status run(heedi_cli *c)
{
    HEEDI_TRY(heedi_cli_args_parse(c));
    if (c->args.version) {
        printf("heed %s\n", heed_version());
        return HEED_OK;
    }
    if (c->args.help) {
        heedi_cli_command_help(c->command);
        return HEED_OK;
    }
    heed_status st = heed_ctx_new(&c->ctx, NULL);
    if (st != HEED_OK)
        return heedi_cli_fail(c, st, "%s", heed_status_text(st));
    heedi_cli_listen(c);
    HEEDI_TRY(tune_process(c));
    return c->command->run(c);
}

static heed_status dispatch(heedi_cli *c)
{
    const char *first = c->argc > 1 ? c->argv[1] : NULL;
    if (!first) {
        heedi_cli_usage(stderr);
        return heedi_cli_fail(c, HEED_EINVAL, "a command is missing");
    }
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0) {
        heedi_cli_usage(stdout);
        return HEED_OK;
    }
    if (strcmp(first, "--version") == 0) {
        printf("heed %s\n", heed_version());
        return HEED_OK;
    }
    c->command = heedi_cli_command_find(c, first);
    return c->command ? run(c) : HEED_EINVAL;
}

int main(int argc, char **argv)
{
    static heedi_cli c;
    heedi_cli_streams_keep();
    c.argc = argc;
    c.argv = argv;
    heedi_cli_args_init(&c.args);
    /* Before parsing, which may fail in front of it. */
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0)
            c.args.json = 1;
    heedi_cli_signals_catch();
    heed_status st = dispatch(&c);
    heedi_cli_progress_end();
    if (st != HEED_OK)
        heedi_cli_report(&c, st);
    heed_tokenizer_free(c.tokenizer);
    heed_model_free(c.model);
    heed_ctx_free(c.ctx);
    heedi_cli_args_clear(&c.args);
    errno = 0;
    if (fflush(stdout) != 0 || ferror(stdout)) {
        if (st != HEED_EOUTPUT) /* which has been said */
            fprintf(stderr, "heed: standard output: %s\n",
                    errno ? strerror(errno) : "write failed");
        if (st == HEED_OK)
            st = HEED_EOUTPUT;
    }
    return heed_status_exit(st);
}
