/* choices.h - backward functions that a method may choose for an operation in
 * place of its own; each stands in the operation's file. */
#ifndef HEEDI_CHOICES_H
#define HEEDI_CHOICES_H

#include "op.h"

/* rope: half of what arrives at rotated dimensions belongs to the position
 * (PA-LRP); reads in[0]. */
void heedi_rope_shared(const heedi_node *y, heedi_run *run);

/* position: the share of the table is relevance of the position. */
void heedi_position_read(const heedi_node *y, heedi_run *run);

/* segment: the same, of the token type. */
void heedi_segment_read(const heedi_node *y, heedi_run *run);

/* attention: the weights are constant and V takes all (CP-LRP); nothing for q
 * and k. Reads in[0], in[1]. */
void heedi_attention_constant(const heedi_node *y, heedi_run *run);

/* attention: AttnLRP, but the share of score biases is relevance of the
 * positions; and, where the readout asks for it, relevance of rotations by head
 * and distance. */
void heedi_attention_read(const heedi_node *y, heedi_run *run);
size_t heedi_attention_read_scratch(const heedi_node *y, const heedi_batch *b,
                                    int threads);

/* act, glu: f by its plain derivative; or by f(x) / (x + HEEDI_LXT_EPS), as LXT
 * does. What is lost goes into `gate`. Read all inputs and the output. */
#define HEEDI_LXT_EPS ((heed_real)1e-10)
void heedi_act_derivative(const heedi_node *y, heedi_run *run);
void heedi_act_lxt(const heedi_node *y, heedi_run *run);
void heedi_glu_derivative(const heedi_node *y, heedi_run *run);
void heedi_glu_lxt(const heedi_node *y, heedi_run *run);

/* glu: the gate is constant and u takes all (CP-LRP); nothing for in[0]. */
void heedi_glu_constant(const heedi_node *y, heedi_run *run);

#endif
