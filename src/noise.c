#include "noise.h"

#include <math.h>

/* The n-th number of the generator splitmix64 (Steele, Lea, Flood 2014) that
 * starts at `key`. */
static uint64_t mix(uint64_t key, uint64_t n)
{
    uint64_t z = key + (n + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* In (0, 1]: its logarithm is finite. */
static double unit(uint64_t x)
{
    return (double)((x >> 11) + 1) / 9007199254740992.0;
}

/* Box and Muller: two uniform numbers make two normal ones. */
void heedi_noise_add(uint64_t seed, uint64_t sample, uint64_t token,
                     double sigma, const heed_real *x, int64_t n,
                     heed_real *out)
{
    const double two_pi = 6.28318530717958647693;
    const uint64_t key = mix(mix(mix(0, seed), sample), token);
    for (int64_t i = 0; i < n; i += 2) {
        double r = sigma * sqrt(-2 * log(unit(mix(key, (uint64_t)i))));
        double a = two_pi * unit(mix(key, (uint64_t)i + 1));
        out[i] = (heed_real)((double)x[i] + r * cos(a));
        if (i + 1 < n)
            out[i + 1] = (heed_real)((double)x[i + 1] + r * sin(a));
    }
}
