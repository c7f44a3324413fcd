/* heed help - the commands, one command, the manual page, or what a shell needs
 * to complete command lines. */
#include "cli_help.h"

static heed_status run(heedi_cli *c)
{
    if (c->args.completion)
        return heedi_cli_completion(c);
    if (c->args.man) {
        heedi_cli_man();
        return HEED_OK;
    }
    if (!c->args.operand) {
        heedi_cli_usage(stdout);
        return HEED_OK;
    }
    const heedi_command *k = heedi_cli_command_find(c, c->args.operand);
    if (!k)
        return HEED_EINVAL;
    heedi_cli_command_help(k);
    return HEED_OK;
}

const heedi_command heedi_command_help = {
    .name = "help",
    .summary = "what a command does, and its options",
    .operand = "[COMMAND]",
    .sets = HEEDI_SET_COMMON | HEEDI_SET_HELP,
    .run = run,
};
