/* axis.h - numbers along a line: where they lie, and which are written. */
#ifndef HEEDI_AXIS_H
#define HEEDI_AXIS_H

#include <stdint.h>

/* Linear, or logarithmic beyond +-threshold with a line through zero. */
typedef struct heedi_scale {
    double low, high; /* values */
    double from, to;  /* their places, px */
    double threshold; /* 0: linear */
} heedi_scale;

double heedi_scale_at(const heedi_scale *s, double x);

/* Round values of [low, high], at least `room` px apart, in order; returns
 * how many. */
enum { HEEDI_MAX_TICKS = 24 };
int heedi_scale_ticks(const heedi_scale *s, double room,
                      double tick[HEEDI_MAX_TICKS]);

/* 1, 2 or 5 times a power of 10, the least that is not below x > 0. */
double heedi_round_up(double x);

/* The same as a number of things: at least 1. */
int64_t heedi_step(double least);

#endif
