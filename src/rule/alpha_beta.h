/* alpha_beta.h - what alpha_beta and zplus have in common. */
#ifndef HEEDI_ALPHA_BETA_H
#define HEEDI_ALPHA_BETA_H

#include "linear_rule.h"

void heedi_alpha_beta(const heedi_node *y, heedi_run *run, double alpha,
                      double eps);
size_t heedi_alpha_beta_scratch(const heedi_node *y, const heedi_batch *b,
                                int threads);

#endif
