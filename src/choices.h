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

/* attention: AttnLRP, but the share of score biases, and the half of the table
 * of relative keys, is relevance of the positions; and, where the readout asks
 * for it, relevance of rotations by head and distance. */
void heedi_attention_read(const heedi_node *y, heedi_run *run);
size_t heedi_attention_read_scratch(const heedi_node *y, const heedi_batch *b,
                                    int threads);

/* attention: AttnLRP, but q and k get arg[0] halves of what relative keys add:
 * 2, all, as LXT's efficient code; 0, nothing, and it is a leak, as its
 * explicit code. */
void heedi_attention_relative(const heedi_node *y, heedi_run *run);

/* layernorm: the mean is constant, as its s; what it took is a leak. */
void heedi_layernorm_constant(const heedi_node *y, heedi_run *run);

/* act, glu: f by its plain derivative; or by f(x) / (x + HEEDI_LXT_EPS), as LXT
 * does. What is lost goes into `gate`. Read all inputs and the output. */
#define HEEDI_LXT_EPS ((heed_real)1e-10)
void heedi_act_derivative(const heedi_node *y, heedi_run *run);
void heedi_act_lxt(const heedi_node *y, heedi_run *run);
void heedi_glu_derivative(const heedi_node *y, heedi_run *run);
void heedi_glu_lxt(const heedi_node *y, heedi_run *run);

/* Relevance form (Chefer et al. 2021, Transformer-Attribution;
 * relevance_form.c, attention_form.c): y->g is R itself, and not R / y. Nothing
 * is deposited. Of a linear map, alpha 1, beta 0, without the bias; reads
 * in[0]. */
void heedi_form_linear(const heedi_node *y, heedi_run *run);
size_t heedi_form_linear_scratch(const heedi_node *y, const heedi_batch *b,
                                 int threads);
/* conv1d: the same, or, with arg[0] == 1, each of the two parts by itself. */
void heedi_form_conv(const heedi_node *y, heedi_run *run);
/* add: in proportion, then each share is scaled to |its total| of all that
 * arrives, of a sequence or, with arg[0] == 1, of the batch. Reads both. */
void heedi_form_add(const heedi_node *y, heedi_run *run);
size_t heedi_form_add_scratch(const heedi_node *y, const heedi_batch *b,
                              int threads);
/* glu: y = f(a) u, half to each factor, f passes on. Reads y. */
void heedi_form_glu(const heedi_node *y, heedi_run *run);
/* Any linear operation of one input without a constant: x VJP(R / y). Reads
 * in[0] and y. */
void heedi_form_product(const heedi_node *y, heedi_run *run);
size_t heedi_form_product_scratch(const heedi_node *y, const heedi_batch *b,
                                  int threads);
/* One input of the shape of the output: R. */
void heedi_form_pass(const heedi_node *y, heedi_run *run);
/* Rows of the input as they are: R to where each is from. */
void heedi_form_select(const heedi_node *y, heedi_run *run);
/* attention: half to each factor of A V and of Q K^T, the softmax and what is
 * added to the scores pass on. Reads all inputs and y. */
void heedi_form_attention(const heedi_node *y, heedi_run *run);
size_t heedi_form_attention_scratch(const heedi_node *y, const heedi_batch *b,
                                    int threads);

/* R / z as the official code divides: z + 1e-9, and 0 where z is 0. */
static inline heed_real heedi_form_ratio(heed_real r, heed_real z)
{
    double d = (double)z + 1e-9;
    return z != 0 ? (heed_real)((double)r / (d != 0 ? d : 1e-9)) : 0;
}

/* glu: the gate is constant and u takes all (CP-LRP); nothing for in[0]. */
void heedi_glu_constant(const heedi_node *y, heedi_run *run);

#endif
