/* method_hidden.h - attribution by the implicit attention of all layers and the
 * gradient of the explained scalar: what the two methods of that kind share,
 * whose only difference is the matrix.
 *
 * With s_l the gradient of each token of layer l, reduced over its columns, and
 * M_l the matrix of the layer, reduced over channels or heads,
 *     form paper   (I + (s_L M_L)+) ... (I + (s_1 M_1)+), the explained row
 *     form code    the row f_l of M+ of each layer, times s_l, and the official
 *                  product of these rows (flow.h)
 * (Ali et al. 2024, arXiv:2403.01590, eq. 24 and 22; released code of it and of
 * Zimerman et al. 2025, arXiv:2405.16504). */
#ifndef HEEDI_METHOD_HIDDEN_H
#define HEEDI_METHOD_HIDDEN_H

#include "method_flow.h"

#define HEEDI_HIDDEN_OPTIONS(O)                                                \
    O(form, "paper|code", "paper", 0, 0,                                       \
      "what auto means below: the paper's definition, or the released code's") \
    O(kind, "auto|core|block", "auto", 0, 0,                                   \
      HEEDI_FLOW_OTHERS "the recurrence alone, or with what gates and "        \
                        "filters it (auto: the method's own)")                 \
    O(rollout, "auto|matrix|vector", "auto", 0, 0,                             \
      "products of matrices, or the explained row added to every row")         \
    O(head, "auto|mean|pos_mean", "auto", 0, 0,                                \
      "over heads or channels; pos_mean: of positive parts (code)")            \
    O(norm, "auto|none|block|after_product", "auto", 0, 0,                     \
      "of vectors, min-max: of all channels before the mean, or of the "       \
      "product (code: by the kind)")                                           \
    O(s6_row, "auto|exact|hidden_code", "auto", 0, 0,                          \
      "of vectors and core: the row, or the code's without the decay of its "  \
      "own step and without its diagonal")                                     \
    O(variant, "exact|raw", "exact", 0, 0,                                     \
      "raw: without the sizes of steps, dt of SSD and (1 - a^2)^1/2 of "       \
      "RG-LRU")                                                                \
    O(hybrid, "all|recurrent", "all", 0, 0,                                    \
      "recurrent: layers of softmax attention are left out")                   \
    O(grad_reduce, "auto|mean|max", "auto", 0, 0,                              \
      "of gradients over columns; max: of positive parts, then min-max "       \
      "(code)")                                                                \
    O(grad_site, "mixer_out|residual_in", "mixer_out", 0, 0,                   \
      "whose gradient: of the mixer's output, or of the layer's input")        \
    O(grad_axis, "auto|row|column", "auto", 0, 0,                              \
      "what it scales (code: columns)")                                        \
    O(row_norm, "off|on", "off", 0, 0, "of matrices: " HEEDI_FLOW_NORMED)      \
    O(start_layer, "integer", "-1", -1, 1e6,                                   \
      HEEDI_FLOW_FIRST "0, of code 5/8 of the layers")                         \
    O(clamp, "auto|on|off", "auto", 0, 0,                                      \
      "nothing is below 0 in the end (code)")                                  \
    HEEDI_FLOW_SELF(O)

heed_status heedi_hidden_check(heedi_job *j, bool core);
heed_status heedi_hidden_run(heedi_job *j, bool core);

#endif
