/* stabiliser.h - what official code adds to every denominator, to repeat it.
 *
 * In relevance form an operation passes x J^T (R / z) on, and code divides by
 * z + eps. As a gradient that is g z / (z + eps) in place of g: nothing else
 * changes, and R eps / (z + eps) is lost (entry `eps`). */
#ifndef HEEDI_STABILISER_H
#define HEEDI_STABILISER_H

#include "tape.h"

typedef struct heedi_stabiliser {
    const char *source;
    bool has_sign; /* z + eps sign(z), sign(0) = 1; else z + eps */
    double eps[HEEDI_N_QUOTIENTS];
    double gamma; /* of gamma rules in a composite; always with a sign */
} heedi_stabiliser;

/* In a table of eps: that of the norm itself. */
#define HEEDI_OWN_EPS (-1.0)

/* As the options of methods name them, in order; the first is none. */
#define HEEDI_STABILISERS "none|lxt|pa_vision|safe_divide|signed"
#define HEEDI_STABILISER_OPTION(O)                                           \
    O(stab, HEEDI_STABILISERS, "none", 0, 0,                                 \
      "denominators z + eps as official code has them: LXT's explicit one, " \
      "PA-LRP's of pictures, Transformer-Explainability's, zennit's")

/* NULL: none. i: the value of that option. */
const heedi_stabiliser *heedi_stabiliser_at(double i);

/* z / (z + eps) */
static inline double heedi_stabiliser_factor(const heedi_stabiliser *s,
                                             double eps, double z)
{
    const double d = s->has_sign && z < 0 ? z - eps : z + eps;
    return eps == 0 ? 1 : d != 0 ? z / d : 0;
}

/* That of the values of y; 0: it divides by none. */
double heedi_stabiliser_eps(const heedi_stabiliser *s, const heedi_node *y);

/* Is it to be run before b, and reads y's value? Rules of linear maps have
 * stabilisers of their own. s may be NULL. */
bool heedi_stabilises(const heedi_stabiliser *s, const heedi_node *y,
                      const heedi_back *b);

/* y->g becomes g z / (z + eps), z = y->x, and what is lost is deposited. */
void heedi_stabilise(const heedi_node *y, const heedi_run *run, double eps);

#endif
