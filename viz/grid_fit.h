/* grid_fit.h - how large the cells of a matrix are, and how many values each of
 * them stands for. */
#ifndef HEEDI_GRID_FIT_H
#define HEEDI_GRID_FIT_H

#include <stdint.h>

/* The size of n cells that share `room` px, `most` each if they can, and how
 * many values each has to pool to be as large as `least`. */
void heedi_grid_fit(double room, int64_t n, double most, double least,
                    double *cell, int64_t *pool);

#endif
