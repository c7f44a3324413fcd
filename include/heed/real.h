/* real.h - the number type of activations and results. */
#ifndef HEED_REAL_H
#define HEED_REAL_H

/* float, except in the test variant of the library that `make double` builds,
 * which is never installed. */
#ifndef HEED_REAL
#define HEED_REAL float
#endif
typedef HEED_REAL heed_real;

#endif
