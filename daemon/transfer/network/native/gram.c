/* Gram matrices, and the way back from them: sums over all pixels of a picture f, channels_last, with n channels; n is
   a multiple of WIDE. There may be gaps between the rows of the picture. */

#include "vectors.h"

#define CHUNK 128 /* pixels whose products are summed in registers before the sums go to memory */
#define TALL (LANES / 4 + 4) /* rows of a Gram matrix that are computed together: as many as the registers hold */
#define ACROSS 2             /* vectors of each row */
#define WIDE 64              /* channels of the way back whose weights lie together */
#define ROWS 6               /* pixels of the way back that are computed together, as in winograd.c */
#define COLUMNS (LANES / 4)  /* vectors of each pixel */

typedef struct {
    const float *f, *mean, *roots;
    float *parts, *scratch;
    long rows, columns, pitch, n, count, taken;
} summing;

/* Adds to `rows` rows of part (n, n), from row i on, the products of channels i and j of each of `pixels` pixels, for
   the j from the step of ACROSS vectors that holds i. */
INLINE void add_rows(const float *f, long pixels, long n, float *part, long i, int rows) {
    for (long j = i / (ACROSS * LANES) * (ACROSS * LANES); j < n; j += ACROSS * LANES) {
        vector sums[TALL][ACROSS] = {0};
        for (const float *pixel = f; pixel < f + pixels * n; pixel += n) {
            vector right[ACROSS];
            for (int c = 0; c < ACROSS; c++) right[c] = load(pixel + j + c * LANES);
            for (int r = 0; r < rows; r++)
                for (int c = 0; c < ACROSS; c++) sums[r][c] += pixel[i + r] * right[c];
        }
        for (int r = 0; r < rows; r++)
            for (int c = 0; c < ACROSS; c++) {
                float *to = part + (i + r) * n + j + c * LANES;
                store(to, load(to) + sums[r][c]);
            }
    }
}

static void add_products(const float *f, long pixels, long n, float *part) {
    long i = 0;
    for (; i + TALL <= n; i += TALL) add_rows(f, pixels, n, part, i, TALL);
    for (; i < n; i += 2) add_rows(f, pixels, n, part, i, 2);
}

/* to = root (f - mean) at each of `pixels` pixels. */
static void centre(const float *f, const float *mean, const float *roots, float *to, long pixels, long n) {
    for (long k = 0; k < pixels; k++) {
        float root = roots ? roots[k] : 1;
        for (long c = 0; c < n; c += LANES) {
            vector v = load(f + k * n + c);
            if (mean) v -= load(mean + c);
            store(to + k * n + c, v * root);
        }
    }
}

static void sum_part(void *shared) {
    summing *how = shared;
    long n = how->n, across = (how->columns + CHUNK - 1) / CHUNK, chunks = how->rows * across;
    for (long part; (part = next(&how->taken)) < how->count;) {
        float *centred = how->scratch + part * CHUNK * n;
        for (long chunk = chunks * part / how->count; chunk < chunks * (part + 1) / how->count; chunk++) {
            long first = chunk % across * CHUNK, pixels = least(CHUNK, how->columns - first);
            const float *f = how->f + chunk / across * how->pitch + first * n;
            if (how->mean || how->roots) {
                const float *roots = how->roots ? how->roots + chunk / across * how->columns + first : 0;
                centre(f, how->mean, roots, centred, pixels, n);
                f = centred;
            }
            add_products(f, pixels, n, how->parts + part * n * n);
        }
    }
}

/* parts (count, n, n), zeros on entry: each part sums a share of the pixels. The sum of the parts is, in the upper
   triangle, Σ p (f - mean) (f - mean)ᵀ. mean: (n,), or null for 0; roots: √p of each pixel, (rows, columns) without
   gaps, or null for 1. scratch: count x CHUNK x n. */
void gram(const float *f, const float *mean, const float *roots, float *parts, float *scratch, long rows, long columns,
          long pitch, long n, long count, team *parallel, int threads) {
    summing how = {f, mean, roots, parts, scratch, rows, columns, pitch, n, count, 0};
    parallel(sum_part, &how, threads, 0);
}

typedef struct {
    float *g;
    const float *f, *s, *row, *p;
    long rows, columns, g_pitch, f_pitch, n, taken;
} adding;

INLINE void add_to_pixels(float *g, const float *f, const float *s, const float *row, const float *weights, long n,
                          int pixels) {
    for (long first = 0; first < WIDE; first += COLUMNS * LANES) {
        vector sums[ROWS][COLUMNS] = {0};
        const float *right = s + first;
        for (long k = 0; k < n; k++, right += WIDE) {
            vector column[COLUMNS];
            for (int c = 0; c < COLUMNS; c++) column[c] = load(right + c * LANES);
            for (int p = 0; p < pixels; p++)
                for (int c = 0; c < COLUMNS; c++) sums[p][c] += f[p * n + k] * column[c];
        }
        for (int p = 0; p < pixels; p++) {
            float weight = weights ? weights[p] : 1;
            for (int c = 0; c < COLUMNS; c++) {
                float *to = g + p * n + first + c * LANES;
                vector sum = load(to) + sums[p][c] * weight;
                if (row) sum += load(row + first + c * LANES) * weight;
                store(to, sum);
            }
        }
    }
}

static void add_to_chunks(void *shared) {
    adding *how = shared;
    long n = how->n, across = (how->columns + CHUNK - 1) / CHUNK;
    for (long chunk; (chunk = next(&how->taken)) < how->rows * across;) {
        long first = chunk % across * CHUNK, pixels = least(CHUNK, how->columns - first);
        float *g = how->g + chunk / across * how->g_pitch + first * n;
        const float *f = how->f + chunk / across * how->f_pitch + first * n;
        const float *weights = how->p ? how->p + chunk / across * how->columns + first : 0;
        for (long group = 0; group < n; group += WIDE) {
            const float *s = how->s + group * n, *row = how->row ? how->row + group : 0;
            for (long p = 0; p < pixels;) {
                float *to = g + p * n + group;
                const float *from = f + p * n, *by = weights ? weights + p : 0;
                if (p + ROWS <= pixels) {
                    add_to_pixels(to, from, s, row, by, n, ROWS);
                    p += ROWS;
                } else {
                    add_to_pixels(to, from, s, row, by, n, 1);
                    p++;
                }
            }
        }
    }
}

/* g += p (f S + row) at each pixel. s: (n / WIDE, n, WIDE), rearranged from S (n, n); row (n,), or null for 0; p:
   (rows, columns) without gaps, or null for 1. */
void add_product(float *g, const float *f, const float *s, const float *row, const float *p, long rows, long columns,
                 long g_pitch, long f_pitch, long n, team *parallel, int threads) {
    adding how = {g, f, s, row, p, rows, columns, g_pitch, f_pitch, n, 0};
    parallel(add_to_chunks, &how, threads, 0);
}
