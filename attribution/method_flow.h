/* method_flow.h - options that methods of products over layers have in common,
 * for their lists OPTIONS(O); flow.h says what they choose. */
#ifndef HEEDI_METHOD_FLOW_H
#define HEEDI_METHOD_FLOW_H

#include "method.h"

#define HEEDI_FLOW_NORMED "rows of I + A are divided by their sums"
#define HEEDI_FLOW_FIRST  "the first layer that counts; -1: "
#define HEEDI_FLOW_OTHERS "of layers without softmax: "

#define HEEDI_FLOW_ROW_NORM(O) \
    O(row_norm, "off|on", "off", 0, 0, HEEDI_FLOW_NORMED)
#define HEEDI_FLOW_START_LAYER(O) \
    O(start_layer, "integer", "0", -1e6, 1e6, HEEDI_FLOW_FIRST "the last")
#define HEEDI_FLOW_KIND(O)                                                \
    O(kind, "block|core", "block", 0, 0,                                  \
      HEEDI_FLOW_OTHERS "with what gates and filters the recurrence, or " \
                        "it alone")
#define HEEDI_FLOW_SELF(O)        \
    O(self, "on|off", "on", 0, 0, \
      "off: without the path that stays at the explained position")

#endif
