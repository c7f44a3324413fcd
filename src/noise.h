/* noise.h - normal noise from a counter: every number is a function of where it
 * stands alone, so neither threads nor the company in a batch change it. */
#ifndef HEEDI_NOISE_H
#define HEEDI_NOISE_H

#include <heed/real.h>
#include <stdint.h>

/* out[i] = x[i] + sigma z[i], z standard normal, for the n values of one token
 * (its position) in one sample. */
void heedi_noise_add(uint64_t seed, uint64_t sample, uint64_t token,
                     double sigma, const heed_real *x, int64_t n,
                     heed_real *out);

#endif
