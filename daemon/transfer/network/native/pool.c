/* The largest of each 2 x 2 pixels, and the way back: x (h, w, n) channels_last, y (h / 2, w / 2, n); n is a multiple
   of LANES. The last row or column of an odd side does not count. */

#include "vectors.h"

typedef struct {
    const float *x, *g;
    float *to;
    long h, w, n, taken;
} pooling;

INLINE vector larger(vector a, vector b) { return (vector)(((whole)a & ~(b > a)) | ((whole)b & (b > a))); }

static void pool_rows(void *shared) {
    pooling *how = shared;
    long n = how->n, w = how->w, half = w / 2;
    for (long row; (row = next(&how->taken)) < how->h / 2;)
        for (long column = 0; column < half; column++) {
            const float *x = how->x + (2 * row * w + 2 * column) * n;
            float *y = how->to + (row * half + column) * n;
            for (long c = 0; c < n; c += LANES) {
                vector top = larger(load(x + c), load(x + n + c));
                vector bottom = larger(load(x + w * n + c), load(x + w * n + n + c));
                store(y + c, larger(top, bottom));
            }
        }
}

static void unpool_rows(void *shared) {
    pooling *how = shared;
    long n = how->n, w = how->w, half = w / 2;
    for (long row; (row = next(&how->taken)) < (how->h + 1) / 2;)
        for (long column = 0; column < (w + 1) / 2; column++) {
            long at = (2 * row * w + 2 * column) * n;
            int right = 2 * column + 1 < w, below = 2 * row + 1 < how->h;
            const float *x = how->x + at, *g = how->g + (row * half + column) * n;
            float *to = how->to + at;
            for (long c = 0; c < n; c += LANES) {
                vector none = {0}, here = none, beside = none, under = none, across = none;
                if (right && below) {
                    vector a = load(x + c), b = load(x + n + c), d = load(x + w * n + c), e = load(x + w * n + n + c);
                    vector slope = load(g + c), most = larger(larger(a, b), larger(d, e));
                    whole first = a == most, second = ~first & (b == most), third = ~first & ~second & (d == most);
                    here = where(first, slope);
                    beside = where(second, slope);
                    under = where(third, slope);
                    across = where(~first & ~second & ~third, slope);
                }
                store(to + c, here);
                if (right) store(to + n + c, beside);
                if (below) store(to + w * n + c, under);
                if (right && below) store(to + w * n + n + c, across);
            }
        }
}

void pool(const float *x, float *y, long h, long w, long n, team *parallel, int threads) {
    pooling how = {x, 0, y, h, w, n, 0};
    parallel(pool_rows, &how, threads, 0);
}

/* g, in y's shape: dL/dy. to, in x's shape: dL/dx, which goes to the first of the largest pixels alone. */
void unpool(const float *x, const float *g, float *to, long h, long w, long n, team *parallel, int threads) {
    pooling how = {x, g, to, h, w, n, 0};
    parallel(unpool_rows, &how, threads, 0);
}
