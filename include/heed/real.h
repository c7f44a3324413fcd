/* real.h - the number type of activations and results. */
#ifndef HEED_REAL_H
#define HEED_REAL_H

/* float, except in the test variant of the library that `make double` builds
 * with -DHEED_REAL=double, and which is never installed. */
#ifdef HEED_REAL
#define HEED_REAL_IS_DOUBLE 1
#else
#define HEED_REAL           float
#define HEED_REAL_IS_DOUBLE 0
#endif
typedef HEED_REAL heed_real;

#endif
