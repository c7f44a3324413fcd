#include "format.h"
#include "json.h"

/* A document is one line, so that files can be put one after the other. */
const heedi_format heedi_format_jsonl = {
    .info = {"jsonl", ".jsonl", "one document on one line", 0, 0, 0, 0},
    .save = heedi_document,
};
