#include "color.h"

#include <math.h>
#include <stddef.h>
#include <strings.h>

/* The ends of a diverging map are equally dark, so that a grey print shows
 * strength; those of bwr, prgn and green_red are moved a little for that. */
static const heedi_cmap maps[] = {
    {"rdbu_r", true, 3, {0x2166ac, 0xffffff, 0xb2182b}},
    {"rdbu", true, 3, {0xb2182b, 0xffffff, 0x2166ac}},
    {"bwr", true, 3, {0x2a48ff, 0xffffff, 0xd80000}},
    {"coolwarm", true, 3, {0x3b4cc0, 0xffffff, 0xb40426}},
    {"prgn", true, 3, {0x8a3f9c, 0xffffff, 0x1b7837}},
    {"green_red", true, 3, {0xc0202c, 0xffffff, 0x1a7a32}},
    {"viridis",
     false,
     10,
     {0x440154, 0x482878, 0x3e4989, 0x31688e, 0x26828e, 0x1f9e89, 0x35b779,
      0x6ece58, 0xb5de2b, 0xfde725}},
    {"magma",
     false,
     10,
     {0x000004, 0x180f3d, 0x440f76, 0x721f81, 0x9e2f7f, 0xcd4071, 0xf1605d,
      0xfd9668, 0xfeca8d, 0xfcfdbf}},
    {"blues", false, 3, {0xffffff, 0x6baed6, 0x08306b}},
    {"grays", false, 2, {0xffffff, 0x000000}},
};
enum { N_MAPS = sizeof maps / sizeof *maps };

const heedi_cmap *heedi_cmap_at(int i)
{
    return i >= 0 && i < N_MAPS ? &maps[i] : NULL;
}

const heedi_cmap *heedi_cmap_named(const char *name)
{
    for (int i = 0; i < N_MAPS; i++)
        if (strcasecmp(maps[i].name, name) == 0)
            return &maps[i];
    return NULL;
}

heedi_rgb heedi_rgb_of(uint32_t c)
{
    return (heedi_rgb){(c >> 16 & 255) / 255.0, (c >> 8 & 255) / 255.0,
                       (c & 255) / 255.0};
}

static uint32_t byte(double x)
{
    return (uint32_t)lrint(255 * (x < 0 ? 0 : x > 1 ? 1 : x));
}

uint32_t heedi_rgb_hex(heedi_rgb c)
{
    return byte(c.r) << 16 | byte(c.g) << 8 | byte(c.b);
}

static double linear(double x)
{
    return x <= 0.04045 ? x / 12.92 : pow((x + 0.055) / 1.055, 2.4);
}

static double gamma_coded(double x)
{
    x = x < 0 ? 0 : x > 1 ? 1 : x;
    return x <= 0.0031308 ? 12.92 * x : 1.055 * pow(x, 1 / 2.4) - 0.055;
}

/* Oklab: Ottosson 2020 */
typedef struct lab {
    double L, a, b;
} lab;

static lab to_lab(heedi_rgb c)
{
    double r = linear(c.r), g = linear(c.g), b = linear(c.b);
    double l = cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
    double m = cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
    double s = cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
    return (lab){0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
                 1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
                 0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s};
}

static heedi_rgb from_lab(lab c)
{
    double l = c.L + 0.3963377774 * c.a + 0.2158037573 * c.b;
    double m = c.L - 0.1055613458 * c.a - 0.0638541728 * c.b;
    double s = c.L - 0.0894841775 * c.a - 1.2914855480 * c.b;
    l = l * l * l;
    m = m * m * m;
    s = s * s * s;
    return (heedi_rgb){
        gamma_coded(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
        gamma_coded(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
        gamma_coded(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s)};
}

heedi_rgb heedi_cmap_color(const heedi_cmap *m, double x)
{
    double t = m->diverging ? (x + 1) / 2 : x;
    t = !(t > 0) ? 0 : t > 1 ? 1 : t;
    double at = t * (m->n - 1);
    int i = (int)at < m->n - 2 ? (int)at : m->n - 2;
    double w = at - i;
    if (w <= 0 || w >= 1) /* an anchor itself, without rounding */
        return heedi_rgb_of(m->anchor[i + (w >= 1)]);
    lab p = to_lab(heedi_rgb_of(m->anchor[i]));
    lab q = to_lab(heedi_rgb_of(m->anchor[i + 1]));
    return from_lab((lab){p.L + w * (q.L - p.L), p.a + w * (q.a - p.a),
                          p.b + w * (q.b - p.b)});
}

heedi_rgb heedi_rgb_pale(heedi_rgb c)
{
    lab p = to_lab(c);
    return from_lab((lab){0.25 * p.L + 0.75, 0.25 * p.a, 0.25 * p.b});
}

double heedi_luminance(heedi_rgb c)
{
    return 0.2126 * linear(c.r) + 0.7152 * linear(c.g) + 0.0722 * linear(c.b);
}

double heedi_lightness(heedi_rgb c)
{
    double y = heedi_luminance(c);
    return y > 216.0 / 24389 ? 116 * cbrt(y) - 16 : y * 24389 / 27;
}

heedi_rgb heedi_ink(heedi_rgb c)
{
    double y = heedi_luminance(c);
    return 1.05 / (y + 0.05) > (y + 0.05) / 0.05 ? (heedi_rgb){1, 1, 1}
                                                 : (heedi_rgb){0, 0, 0};
}
