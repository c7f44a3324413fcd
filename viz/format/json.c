#include "json.h"
#include "format.h"

const heedi_format heedi_format_json = {
    .info = {"json", ".json", "one document, as --json prints it", 0, 0, 0, 0},
    .save = heedi_document,
};
