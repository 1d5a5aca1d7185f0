// The three linear maps of Winograd's minimal filtering in one dimension, on vectors of eight channels (Lavin & Gray 2016, arXiv 1509.09308).
//
// y = Aᵀ[(G·g) ⊙ (Bᵀ·d)]: `tile` results of a filter g of length 3 over the inputs d, tile + 2 of them. In two dimensions each map is applied
// to the columns and then to the rows. F(4,3) interpolates at 0, ±1, ±2, ∞; F(2,3) at 0, ±1, ∞.
#ifndef QUICKSTEP_WINOGRAD_TRANSFORMS_H
#define QUICKSTEP_WINOGRAD_TRANSFORMS_H

#include "Simd.h"

QS_SIMD_BEGIN

namespace quickstep {

template <int tile>
struct Winograd;

template <>
struct Winograd<2> {
  static QS_INLINE void input(const F8 *d, F8 *v) {
    v[0] = d[0] - d[2];
    v[1] = d[1] + d[2];
    v[2] = d[2] - d[1];
    v[3] = d[1] - d[3];
  }
  static QS_INLINE void kernel(const F8 *g, F8 *u) {
    const F8 even = (g[0] + g[2]) * all(0.5f), odd = g[1] * all(0.5f);
    u[0] = g[0];
    u[1] = even + odd;
    u[2] = even - odd;
    u[3] = g[2];
  }
  static QS_INLINE void output(const F8 *m, F8 *y) {
    y[0] = m[0] + m[1] + m[2];
    y[1] = m[1] - m[2] - m[3];
  }
};

template <>
struct Winograd<4> {
  static QS_INLINE void input(const F8 *d, F8 *v) {
    const F8 even1 = fma(d[2], all(-4.0f), d[4]), odd1 = fma(d[1], all(-4.0f), d[3]);
    const F8 even2 = d[4] - d[2], odd2 = (d[3] - d[1]) * all(2.0f);
    v[0] = fma(d[0], all(4.0f), fma(d[2], all(-5.0f), d[4]));
    v[1] = even1 + odd1;
    v[2] = even1 - odd1;
    v[3] = even2 + odd2;
    v[4] = even2 - odd2;
    v[5] = fma(d[1], all(4.0f), fma(d[3], all(-5.0f), d[5]));
  }
  static QS_INLINE void kernel(const F8 *g, F8 *u) {
    const F8 even1 = (g[0] + g[2]) * all(-1.0f / 6), odd1 = g[1] * all(1.0f / 6);
    const F8 even2 = fma(g[2], all(1.0f / 6), g[0] * all(1.0f / 24)), odd2 = g[1] * all(1.0f / 12);
    u[0] = g[0] * all(0.25f);
    u[1] = even1 - odd1;
    u[2] = even1 + odd1;
    u[3] = even2 + odd2;
    u[4] = even2 - odd2;
    u[5] = g[2];
  }
  static QS_INLINE void output(const F8 *m, F8 *y) {
    const F8 sum1 = m[1] + m[2], difference1 = m[1] - m[2], sum2 = m[3] + m[4], difference2 = m[3] - m[4];
    y[0] = m[0] + sum1 + sum2;
    y[1] = fma(difference2, all(2.0f), difference1);
    y[2] = fma(sum2, all(4.0f), sum1);
    y[3] = fma(difference2, all(8.0f), difference1 + m[5]);
  }
};

}  // namespace quickstep

QS_SIMD_END

#endif
