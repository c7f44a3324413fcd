/* cli_method.h - which methods run, and with which options. */
#ifndef HEEDI_CLI_METHOD_H
#define HEEDI_CLI_METHOD_H

#include "cli.h"

typedef struct heedi_cli_method {
    const heed_method_info *info;
    heed_setting *settings; /* ends at name == NULL */
} heedi_cli_method;

typedef struct heedi_cli_methods {
    heedi_cli_method *v;
    int64_t n;
} heedi_cli_methods;

/* The methods of -a with their options checked. Without -a: none as long as no
 * model is loaded, then the family's own. HEED_EINVAL. */
heed_status heedi_cli_methods_choose(heedi_cli *c, heedi_cli_methods *out);
void heedi_cli_methods_free(heedi_cli_methods *m);

/* The method of that name, or a failure that offers the nearest one. */
heed_status heedi_cli_method_find(heedi_cli *c, const char *name,
                                  const heed_method_info **out);

#endif
