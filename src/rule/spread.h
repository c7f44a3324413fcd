/* spread.h - rules that look at neither the inputs' values nor their signs. */
#ifndef HEEDI_SPREAD_H
#define HEEDI_SPREAD_H

#include "linear_rule.h"

/* R_x = P^T (R / (P 1 + b_share)), P a part of W; b_share b^2 or 0. */
void heedi_spread(const heedi_node *y, heedi_run *run, heedi_part part,
                  bool bias);
size_t heedi_spread_scratch(const heedi_node *y, const heedi_batch *b,
                            int threads);

#endif
