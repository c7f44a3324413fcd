/* color.h - colour maps; between their anchors colours are mixed in Oklab. */
#ifndef HEEDI_COLOR_H
#define HEEDI_COLOR_H

#include <stdbool.h>
#include <stdint.h>

typedef struct heedi_rgb {
    double r, g, b; /* sRGB, 0 ... 1 */
} heedi_rgb;

enum { HEEDI_MAX_ANCHORS = 11 };

typedef struct heedi_cmap {
    const char *name;
    bool diverging; /* zero in the middle */
    int n;
    uint32_t anchor[HEEDI_MAX_ANCHORS]; /* 0xRRGGBB, low to high */
} heedi_cmap;

/* NULL if there is none. */
const heedi_cmap *heedi_cmap_at(int i);
const heedi_cmap *heedi_cmap_named(const char *name);

/* x from -1 to 1 of a diverging map, from 0 to 1 of another; beyond, the
 * colour of the end. */
heedi_rgb heedi_cmap_color(const heedi_cmap *m, double x);

heedi_rgb heedi_rgb_of(uint32_t rrggbb);
uint32_t heedi_rgb_hex(heedi_rgb c);

/* The same hue, three quarters of the way to white. */
heedi_rgb heedi_rgb_pale(heedi_rgb c);

/* Black or white, whichever has the higher contrast on c. */
heedi_rgb heedi_ink(heedi_rgb c);

double heedi_luminance(heedi_rgb c); /* WCAG relative luminance, 0 ... 1 */
double heedi_lightness(heedi_rgb c); /* CIE L*, 0 ... 100 */

#endif
