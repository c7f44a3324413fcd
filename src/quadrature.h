/* quadrature.h - rules of integration over [0, 1]. */
#ifndef HEEDI_QUADRATURE_H
#define HEEDI_QUADRATURE_H

#include <stdint.h>

/* Point k of n, from the lower end, and its weight; weights add up to 1. Each
 * point is found by itself, so nothing is kept. */
typedef void heedi_quadrature(int64_t n, int64_t k, double *x, double *w);

/* Gauss-Legendre: exact for polynomials of degree 2n - 1. */
heedi_quadrature heedi_gauss;
/* Midpoints of n equal parts. */
heedi_quadrature heedi_midpoint;
/* n >= 2 points, both ends among them, with half the weight there. */
heedi_quadrature heedi_trapezoid;

#endif
