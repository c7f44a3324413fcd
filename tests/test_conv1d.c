/* The convolution that looks ahead: to the bit that of the flipped sequences,
 * values, gradients, relevance and what linear rules read; and it is another
 * one than that which looks back. */
#include "testlib.h"

#include "optest.h"

enum { CHANNELS = 37, MOST_WIDTH = 5 };

static const int64_t lens[] = {130, 3, 1,
                               17}; /* some shorter than the filter */
enum { TEXTS = 4 };

static void flip(const optest *t, heed_real *x)
{
    for (int64_t s = 0; s < TEXTS; s++)
        optest_flip(x + t->batch.start[s] * CHANNELS, lens[s], CHANNELS);
}

static void open_way(optest *t, const heedi_conv_args *a, bool flipped)
{
    const heedi_example row = {.in = {CHANNELS}, .n_vec = CHANNELS, .args = a};
    assert_int_equal(
        optest_open(t, &heedi_op_conv1d, &row,
                    (optest_how){.len = lens, .n_seq = TEXTS, .threads = 2}),
        HEED_OK);
    if (flipped) {
        flip(t, t->in[0]->x);
        flip(t, t->y->g);
    }
    optest_forward(t);
}

/* Of the flipped run, x turned back. */
static void same_bits(const optest *t, const heed_real *want, heed_real *x,
                      const char *what)
{
    flip(t, x);
    if (memcmp(want, x, (size_t)(t->batch.rows * CHANNELS) * sizeof *x) != 0)
        fail_msg("%s is not that of the flipped sequences", what);
    flip(t, x);
}

static void same_parts(optest t[2], heedi_part part)
{
    const int64_t n = t[0].batch.rows * CHANNELS;
    heed_real *to[2], *back[2];
    for (int i = 0; i < 2; i++) {
        to[i] = optest_reals(&t[i], n);
        back[i] = optest_reals(&t[i], n);
        t[i].run.scratch = optest_alloc(
            &t[i], heedi_op_conv1d.map->scratch(t[i].y, t[i].run.threads));
        heedi_op_conv1d.map->to(t[i].y, &t[i].run, part, t[i].in[0]->x, to[i],
                                true);
        heedi_op_conv1d.map->back(t[i].y, &t[i].run, part, t[i].y->g, back[i],
                                  true);
    }
    same_bits(&t[1], to[0], to[1], "a product with a part");
    same_bits(&t[1], back[0], back[1], "a product with a part's transpose");
}

static void test_reversed(void **state)
{
    static const heedi_pass pass[] = {HEEDI_GRADIENT, HEEDI_RELEVANCE};
    heed_real w[MOST_WIDTH * CHANNELS];
    uint32_t seed = 21;
    (void)state;
    for (int i = 0; i < MOST_WIDTH * CHANNELS; i++)
        w[i] = optest_value(&seed);
    for (int64_t width = 1; width <= MOST_WIDTH; width++) {
        const heedi_conv_args ahead = {width, w, true},
                              plain = {width, w, false};
        optest t[3];
        open_way(&t[0], &plain, false);
        open_way(&t[1], &ahead, true);
        open_way(&t[2], &plain, true); /* flipped alone is not enough */
        same_bits(&t[1], t[0].y->x, t[1].y->x, "the output");
        for (int k = 0; k < 2; k++) {
            for (int i = 0; i < 2; i++)
                optest_back(&t[i], pass[k], 0, 0);
            same_bits(&t[1], t[0].in[0]->g, t[1].in[0]->g, "a gradient");
        }
        same_parts(t, HEEDI_ALL);
        same_parts(t, HEEDI_POSITIVE);
        same_parts(t, HEEDI_NEGATIVE);
        flip(&t[2], t[2].y->x);
        const double apart =
            optest_worst(t[2].y->x, t[0].y->x, t[0].batch.rows * CHANNELS);
        assert_true(width == 1 ? apart == 0 : apart > 0.1);
        for (int i = 0; i < 3; i++)
            optest_close(&t[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {test(test_reversed)};
    RUN(tests);
}
