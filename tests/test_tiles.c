/* Boxes of tokens, as an SVG has them. */
#include "folder.h"

#include "explained.h"

/* The left and right ends of what is as high as a tile, in order. */
static int tiles_of(const char *svg, double (*tile)[2], int most)
{
    int n = 0;
    for (; (svg = strstr(svg, "fill-rule:nonzero;")); svg++) {
        const char *p = strstr(svg, " d=\"") + 4, *end = strchr(p, '"');
        double low[2] = {1e9, 1e9}, high[2] = {-1e9, -1e9};
        for (int k = 0; p < end;) {
            char *next;
            const double v = strtod(p, &next);
            if (next == p) {
                p++; /* M, C, L, Z */
                continue;
            }
            low[k % 2] = v < low[k % 2] ? v : low[k % 2];
            high[k % 2] = v > high[k % 2] ? v : high[k % 2];
            k++;
            p = next;
        }
        if (fabs(high[1] - low[1] - 24.1) > 0.05 || n == most)
            continue;
        tile[n][0] = low[0];
        tile[n++][1] = high[0];
    }
    return n;
}

/* As far from the letters at the right as at the left, inside of a word, too:
 * letters are apart by their width, and by what both boxes add. */
static void tiles_have_padding(void **state)
{
    (void)state;
    enum { N = 6 };
    static const char *const letters[N] = {"W", "W", "W", " W", "W", " W"};
    static const char *const word[N] = {"WWWWWW", ".", "x", ".", " W", "."};
    static const heed_real x[N] = {1, 1, 1, 1, 1, 1};
    const heed_figure_options o = {.force = 1};
    double tile[N][2], width = 0, pad = 0;
    heed_ctx *ctx = new_ctx();
    for (int i = 0; i < 2; i++) {
        size_t n;
        const char *path = in_folder("tiles.svg");
        heed_result *r = explain(ctx, i ? word : letters, N, x);
        assert_int_equal(
            heed_figure_draw(ctx, "token_heat", path, r, "explanations/x", &o),
            HEED_OK);
        char *svg = whole_file(path, &n);
        assert_int_equal(tiles_of(svg, tile, N), N);
        for (int k = 0; k < N; k++) {
            assert_true(tile[k][1] - tile[k][0] > 6); /* its colour is seen */
            assert_true(k == 0 || tile[k][0] - tile[k - 1][1] > 0.9);
        }
        if (i == 0) { /* at 15 px a margin of 28 px begins at the letters */
            pad = 28 - tile[0][0];
            width = tile[0][1] - tile[0][0] - 2 * pad;
            assert_true(pad > 0.9);
            for (int k = 0; k < N; k++)
                assert_close(tile[k][1] - tile[k][0], width + 2 * pad, 0.05);
        } else { /* six letters without room inside */
            assert_close(tile[0][1] - tile[0][0], 6 * width + 2 * pad, 0.1);
        }
        free(svg);
        heed_result_free(r);
    }
    heed_ctx_free(ctx);
}

int main(void)
{
    folder_open();
    const struct CMUnitTest drawn[] = {test(tiles_have_padding)};
    int bad = 0;
    if (heed_figure_at(0))
        bad = cmocka_run_group_tests_name(__FILE__, drawn, NULL, NULL);
    return folder_close(bad);
}
