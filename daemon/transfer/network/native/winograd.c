/* A 3 x 3 convolution by Winograd's F(4 x 4, 3 x 3) (Lavin, Gray 2015, arXiv:1509.09308): a quarter of the products.

   Pictures are channels_last: x (h, w, n), y (rows, columns, m); n is a multiple of LANES, m of GROUP. A tile is 4 x 4
   pixels of y, computed from 6 x 6 of x. Blocks of tiles go through all three steps at once, so that the results of the
   steps never leave the cache. Threads take the next free block; no bit depends on which thread took a block. */

#include "vectors.h"

#define TILE 4
#define SEEN 6    /* TILE + 2 */
#define PLACES 36 /* SEEN x SEEN */
#define GROUP 64  /* output channels that are computed together */
#define ROWS 6    /* tiles that one step of the product takes at once: with COLUMNS, as many sums as registers hold */
#define COLUMNS (LANES / 4)

const int contract = 2; /* increase this with any change of a function's arguments, so that no old library is used */

typedef struct {
    const float *x, *u, *bias, *mask, *nothing;
    float *y, *scratch;
    long h, w, n, rows, columns, m, padding, block;
    int edge, rectified;
    long taken, slots;
} convolution;

INLINE void transformed(const vector d[SEEN], vector v[SEEN]) {
    vector a = d[4] - 4 * d[2], b = d[3] - 4 * d[1], c = d[4] - d[2], e = 2 * (d[3] - d[1]);
    v[0] = 4 * d[0] - 5 * d[2] + d[4];
    v[1] = a + b;
    v[2] = a - b;
    v[3] = c + e;
    v[4] = c - e;
    v[5] = 4 * d[1] - 5 * d[3] + d[5];
}

INLINE void gathered(const vector p[SEEN], vector y[TILE]) {
    vector a = p[1] + p[2], b = p[1] - p[2], c = p[3] + p[4], e = p[3] - p[4];
    y[0] = p[0] + a + c;
    y[1] = b + 2 * e;
    y[2] = a + 4 * c;
    y[3] = b + 8 * e + p[5];
}

/* The pixels of a tile, n channels each -> the tile's 36 places in v, `step` floats apart. */
INLINE void tile_in(const float *const from[PLACES], long n, int rectified, float *v, long step) {
    for (long c = 0; c < n; c += LANES) {
        vector half[SEEN][SEEN];
        for (int j = 0; j < SEEN; j++) {
            vector d[SEEN], column[SEEN];
            for (int i = 0; i < SEEN; i++) {
                d[i] = load(from[SEEN * i + j] + c);
                if (rectified) d[i] = where_positive(d[i], d[i]);
            }
            transformed(d, column);
            for (int i = 0; i < SEEN; i++) half[i][j] = column[i];
        }
        for (int i = 0; i < SEEN; i++) {
            vector row[SEEN];
            transformed(half[i], row);
            for (int j = 0; j < SEEN; j++) store(v + (SEEN * i + j) * step + c, row[j]);
        }
    }
}

/* 36 places of GROUP channels in p, `step` floats apart -> the tile's pixels in y. at: the offset of each pixel in y,
   in floats; -1: outside y. */
static void tile_out(const convolution *how, const float *p, long step, const float *bias, const long at[]) {
    for (long c = 0; c < GROUP; c += LANES) {
        vector half[TILE][SEEN];
        for (int j = 0; j < SEEN; j++) {
            vector d[SEEN], column[TILE];
            for (int i = 0; i < SEEN; i++) d[i] = load(p + (SEEN * i + j) * step + c);
            gathered(d, column);
            for (int i = 0; i < TILE; i++) half[i][j] = column[i];
        }
        vector add = {0};
        if (bias) add = load(bias + c);
        for (int i = 0; i < TILE; i++) {
            vector row[TILE];
            gathered(half[i], row);
            for (int j = 0; j < TILE; j++) {
                if (at[TILE * i + j] < 0) continue;
                long to = at[TILE * i + j] + c;
                vector v = row[j] + add;
                store(how->y + to, how->mask ? where_positive(v, load(how->mask + to)) : v);
            }
        }
    }
}

/* p (tiles, GROUP) = v (tiles, n) u (n, GROUP) */
static void product(const float *v, long n, const float *u, float *p, long tiles) {
    for (long t = 0; t < tiles; t += ROWS)
        for (long first = 0; first < GROUP; first += COLUMNS * LANES) {
            vector sums[ROWS][COLUMNS] = {0};
            const float *left = v + t * n, *right = u + first;
            for (long k = 0; k < n; k++, right += GROUP) {
                vector row[COLUMNS];
                for (int c = 0; c < COLUMNS; c++) row[c] = load(right + c * LANES);
                for (int r = 0; r < ROWS; r++)
                    for (int c = 0; c < COLUMNS; c++) sums[r][c] += left[r * n + k] * row[c];
            }
            for (int r = 0; r < ROWS; r++)
                for (int c = 0; c < COLUMNS; c++) store(p + (t + r) * GROUP + first + c * LANES, sums[r][c]);
        }
}

static long within(long i, long length) { return i < 0 ? 0 : i >= length ? length - 1 : i; }

static void block_in(const convolution *how, long top, long left, float *v, long step) {
    const float *from[PLACES];
    for (int i = 0; i < SEEN; i++)
        for (int j = 0; j < SEEN; j++) {
            long row = top - how->padding + i, column = left - how->padding + j;
            long y = within(row, how->h), x = within(column, how->w);
            int inside = how->edge || (y == row && x == column);
            from[SEEN * i + j] = inside ? how->x + (y * how->w + x) * how->n : how->nothing;
        }
    if (how->rectified)
        tile_in(from, how->n, 1, v, step);
    else
        tile_in(from, how->n, 0, v, step);
}

static void block_out(const convolution *how, long top, long left, const float *p, long step, long group) {
    long at[TILE * TILE];
    for (int i = 0; i < TILE; i++)
        for (int j = 0; j < TILE; j++) {
            int inside = top + i < how->rows && left + j < how->columns;
            at[TILE * i + j] = inside ? ((top + i) * how->columns + left + j) * how->m + group : -1;
        }
    tile_out(how, p, step, how->bias ? how->bias + group : 0, at);
}

static void work(void *shared) {
    convolution *how = shared;
    long block = how->block, n = how->n, across = (how->columns + TILE - 1) / TILE;
    long tiles = across * ((how->rows + TILE - 1) / TILE), slot = next(&how->slots);
    float *v = how->scratch + slot * PLACES * block * (n + GROUP), *p = v + PLACES * block * n;
    for (;;) {
        long first = block * next(&how->taken);
        if (first >= tiles) return;
        long count = least(block, tiles - first), padded = (count + ROWS - 1) / ROWS * ROWS;
        for (long t = 0; t < count; t++)
            block_in(how, (first + t) / across * TILE, (first + t) % across * TILE, v + t * n, block * n);
        for (long group = 0; group < how->m; group += GROUP) {
            const float *u = how->u + group * PLACES * n;
            for (long k = 0; k < PLACES; k++)
                product(v + k * block * n, n, u + k * n * GROUP, p + k * block * GROUP, padded);
            for (long t = 0; t < count; t++)
                block_out(how, (first + t) / across * TILE, (first + t) % across * TILE, p + t * GROUP, block * GROUP, group);
        }
    }
}

/* u: (m / GROUP, 36, n, GROUP), the transformed weights. nothing: n zeros. scratch: threads x 36 x block x (n + GROUP).
   block: tiles, a multiple of ROWS. padding: px around x, of zeros, or with edge of x's outermost values; y is (h + 2
   padding - 2, w + 2 padding - 2, m). rectified: x below 0 counts as 0. mask: in y's shape; where mask is not above 0,
   y becomes 0. mask and bias may be null. */
void convolve(const float *x, const float *u, const float *bias, const float *mask, const float *nothing, float *y,
              float *scratch, long h, long w, long n, long m, long padding, int edge, int rectified, long block,
              team *parallel, int threads) {
    convolution how = {x, u, bias, mask, nothing, y, scratch, h, w, n, h + 2 * padding - 2, w + 2 * padding - 2, m,
                       padding, block, edge, rectified, 0, 0};
    parallel(work, &how, threads, 0);
}
