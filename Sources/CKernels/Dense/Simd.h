// Eight floats at a time. Sources between QS_SIMD_BEGIN and QS_SIMD_END are compiled for AVX2, FMA and F16C on x86-64, whatever the rest of
// the program is compiled for; they must only be reached when qs_dense_available() says so. Elsewhere the compiler splits the vectors.
#ifndef QUICKSTEP_SIMD_H
#define QUICKSTEP_SIMD_H

#include <cmath>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#define QS_SIMD_BEGIN _Pragma("clang attribute push(__attribute__((target(\"avx2,fma,f16c\"))), apply_to = function)")
#define QS_SIMD_END _Pragma("clang attribute pop")
#else
#define QS_SIMD_BEGIN
#define QS_SIMD_END
#endif
#define QS_INLINE inline __attribute__((always_inline))

QS_SIMD_BEGIN

namespace quickstep {

typedef float F8 __attribute__((vector_size(32)));
typedef float F8u __attribute__((vector_size(32), aligned(4)));
typedef int32_t I8 __attribute__((vector_size(32)));
typedef uint32_t U8 __attribute__((vector_size(32)));
typedef uint16_t H8 __attribute__((vector_size(16)));
typedef _Float16 Half8 __attribute__((vector_size(16)));

QS_INLINE F8 load(const float *p) { return *reinterpret_cast<const F8u *>(p); }
QS_INLINE void store(float *p, F8 v) { *reinterpret_cast<F8u *>(p) = v; }
QS_INLINE F8 all(float v) { return F8{v, v, v, v, v, v, v, v}; }
QS_INLINE F8 fma(F8 a, F8 b, F8 c) { return __builtin_elementwise_fma(a, b, c); }
QS_INLINE F8 maximum(F8 a, F8 b) { return a > b ? a : b; }

QS_INLINE float sum(F8 v) { return ((v[0] + v[4]) + (v[1] + v[5])) + ((v[2] + v[6]) + (v[3] + v[7])); }
QS_INLINE float largest(F8 v) {
  float m = v[0];
  for (int i = 1; i < 8; ++i) m = v[i] > m ? v[i] : m;
  return m;
}

/// Eight stored weights as floats.
template <int storage>
QS_INLINE F8 load_weights(const void *base, int64_t index) {
  if constexpr (storage == 0) return load(static_cast<const float *>(base) + index);
  uint16_t raw[8];
  std::memcpy(raw, static_cast<const uint16_t *>(base) + index, sizeof raw);
  if constexpr (storage == 1) {
    H8 bits;
    std::memcpy(&bits, raw, sizeof bits);
    const U8 wide = __builtin_convertvector(bits, U8) << 16;
    F8 result;
    std::memcpy(&result, &wide, sizeof result);
    return result;
  } else {
    Half8 halves;
    std::memcpy(&halves, raw, sizeof halves);
    return __builtin_convertvector(halves, F8);
  }
}

/// eˣ within 2 units in the last place for −87 ≤ x ≤ 88; x beyond is clamped. 2ⁿ·eʳ with |r| ≤ ln 2 / 2 and a polynomial of degree 6 in r.
QS_INLINE F8 exponential(F8 x) {
  x = x < all(-87.0f) ? all(-87.0f) : x;
  x = x > all(88.0f) ? all(88.0f) : x;
  const F8 n = __builtin_elementwise_roundeven(x * all(1.44269504f));
  // ln 2 in two parts: the product of n with the first is exact.
  const F8 r = fma(n, all(2.12194440e-4f), fma(n, all(-0.693359375f), x));
  F8 p = all(1.0f / 720);
  p = fma(p, r, all(1.0f / 120));
  p = fma(p, r, all(1.0f / 24));
  p = fma(p, r, all(1.0f / 6));
  p = fma(p, r, all(0.5f));
  p = fma(p, r, all(1.0f));
  p = fma(p, r, all(1.0f));
  const I8 bits = (__builtin_convertvector(n, I8) + 127) << 23;
  F8 power;
  std::memcpy(&power, &bits, sizeof power);
  return p * power;
}

/// 2ˣ within 2 units in the last place for −126 ≤ x ≤ 0; smaller x count as −126. The polynomial is the Taylor series of e^(f·ln 2), |f| ≤ ½.
QS_INLINE F8 power_of_two(F8 x) {
  x = x < all(-126.0f) ? all(-126.0f) : x;
  const F8 n = __builtin_elementwise_roundeven(x), f = x - n;
  F8 p = all(1.54035304e-4f);
  p = fma(p, f, all(1.33335581e-3f));
  p = fma(p, f, all(9.61812911e-3f));
  p = fma(p, f, all(5.55041087e-2f));
  p = fma(p, f, all(2.40226507e-1f));
  p = fma(p, f, all(6.93147181e-1f));
  p = fma(p, f, all(1.0f));
  const I8 bits = (__builtin_convertvector(n, I8) + 127) << 23;
  F8 power;
  std::memcpy(&power, &bits, sizeof power);
  return p * power;
}

QS_INLINE F8 silu(F8 x) { return x / (all(1.0f) + exponential(-x)); }

/// erf within 1.5·10⁻⁷: Abramowitz & Stegun 7.1.26.
QS_INLINE F8 erf(F8 x) {
  const F8 size = x < all(0.0f) ? -x : x;
  const F8 t = all(1.0f) / fma(size, all(0.3275911f), all(1.0f));
  F8 p = all(1.061405429f);
  p = fma(p, t, all(-1.453152027f));
  p = fma(p, t, all(1.421413741f));
  p = fma(p, t, all(-0.284496736f));
  p = fma(p, t, all(0.254829592f));
  const F8 y = all(1.0f) - p * t * exponential(-size * size);
  return x < all(0.0f) ? -y : y;
}

QS_INLINE F8 gelu(F8 x) { return x * all(0.5f) * (all(1.0f) + erf(x * all(0.70710678f))); }

QS_INLINE F8 gelu_tanh(F8 x) {
  // ½(1 + tanh u) = 1 / (1 + e^(−2u)).
  const F8 u = x * fma(x * x, all(0.044715f * 0.79788456f), all(0.79788456f));
  return x / (all(1.0f) + exponential(u * all(-2.0f)));
}

}  // namespace quickstep

QS_SIMD_END

#endif
