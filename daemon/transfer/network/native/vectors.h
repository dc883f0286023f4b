/* What the kernels share: the processor's vectors of LANES floats (16 or 8, given to the compiler), and the threads of
   OpenMP. The caller passes GOMP_parallel from the OpenMP that torch runs on. */

typedef float vector __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int whole __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef void task(void *);
typedef void team(task *, void *, unsigned threads, unsigned flags); /* GOMP_parallel */

#define INLINE static inline __attribute__((always_inline))

INLINE vector load(const float *p) { return *(const vector *)p; }

INLINE void store(float *p, vector v) { *(vector *)p = v; }

INLINE vector where(whole true, vector v) { return (vector)((whole)v & true); } /* 0 elsewhere */

INLINE vector where_positive(vector v, vector of) { return where(~(of <= 0), v); } /* or NaN */

INLINE long next(long *counter) { return __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED); }

INLINE long least(long a, long b) { return a < b ? a : b; }
