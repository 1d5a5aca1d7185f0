// The innermost loop of everything dense: a few rows times a panel of 16 columns.
#ifndef QUICKSTEP_MICROKERNEL_H
#define QUICKSTEP_MICROKERNEL_H

#include "../include/CKernelsDense.h"
#include "Simd.h"

QS_SIMD_BEGIN

namespace quickstep {

/// Columns of a panel, rows of a tile: twelve accumulators of eight leave four registers for operands, as AVX2 has sixteen.
constexpr int64_t kPanel = 16, kRows = 6;
/// Rows that share one pass over a panel's slice, a multiple of kRows: with a slice of kDepth inputs they stay in the second-level cache.
constexpr int64_t kBlockRows = 96;
/// Longest slice of inputs: 16 KB of a panel stay in the first-level cache while the rows of a block pass by.
constexpr int64_t kDepth = 256;
/// Bytes that memory is fetched by.
constexpr int64_t kCacheLine = 64;

/// tile[R][16] (+)= rows[R][depth] · panel[depth][16].
template <int R>
QS_INLINE void micro(const float *const *rows, int64_t depth, const float *panel, float *tile, bool adds) {
  F8 sums[R][2];
  const float *row[R];
  for (int r = 0; r < R; ++r) {
    row[r] = rows[r];
    sums[r][0] = adds ? load(tile + r * kPanel) : all(0.0f);
    sums[r][1] = adds ? load(tile + r * kPanel + 8) : all(0.0f);
  }
#pragma clang loop unroll_count(4)
  for (int64_t k = 0; k < depth; ++k) {
    const F8 left = load(panel + k * kPanel), right = load(panel + k * kPanel + 8);
#pragma clang loop unroll(full)
    for (int r = 0; r < R; ++r) {
      const F8 value = all(row[r][k]);
      sums[r][0] = fma(value, left, sums[r][0]);
      sums[r][1] = fma(value, right, sums[r][1]);
    }
  }
  for (int r = 0; r < R; ++r) {
    store(tile + r * kPanel, sums[r][0]);
    store(tile + r * kPanel + 8, sums[r][1]);
  }
}

/// The left half of a panel alone: tile[6][0…8] (+)= rows[6][depth] · panel[depth][0…8].
QS_INLINE void micro_half(const float *const *rows, int64_t depth, const float *panel, float *tile, bool adds) {
  F8 sums[kRows];
  const float *row[kRows];
  for (int r = 0; r < kRows; ++r) {
    row[r] = rows[r];
    sums[r] = adds ? load(tile + r * kPanel) : all(0.0f);
  }
#pragma clang loop unroll_count(4)
  for (int64_t k = 0; k < depth; ++k) {
    const F8 left = load(panel + k * kPanel);
#pragma clang loop unroll(full)
    for (int r = 0; r < kRows; ++r) sums[r] = fma(all(row[r][k]), left, sums[r]);
  }
  for (int r = 0; r < kRows; ++r) store(tile + r * kPanel, sums[r]);
}

/// As micro_rows, for a panel of which only the left half is needed; what is right of it in `tiles` means nothing.
[[maybe_unused]] __attribute__((noinline)) static void micro_rows_half(
    const float *const *rows, int64_t count, int64_t depth, const float *panel, float *tiles, bool adds) {
  int64_t r = 0;
  for (; r + kRows <= count; r += kRows) micro_half(rows + r, depth, panel, tiles + r * kPanel, adds);
  for (; r < count; ++r) micro<1>(rows + r, depth, panel, tiles + r * kPanel, adds);
}

/// Memory that is read next, by cache lines. It is asked for while the processor multiplies: what lies behind the second-level cache would otherwise
/// hold up the first rows of every panel's slice.
struct Ahead {
  const char *next = nullptr;
  int64_t lines = 0;

  QS_INLINE void fetch(int64_t most) {
    const int64_t count = most < lines ? most : lines;
    for (int64_t i = 0; i < count; ++i) __builtin_prefetch(next + i * kCacheLine, 0, 2);
    next += count * kCacheLine;
    lines -= count;
  }
};

/// `count` rows, by tiles of up to six; `tiles` holds count × 16 sums.
[[maybe_unused]] __attribute__((noinline)) static void micro_rows(
    const float *const *rows, int64_t count, int64_t depth, const float *panel, float *tiles, bool adds, Ahead ahead = {}) {
  int64_t r = 0;
  const int64_t lines = (ahead.lines * kRows + count - 1) / count;
  for (; r + kRows <= count; r += kRows) {
    ahead.fetch(lines);
    micro<kRows>(rows + r, depth, panel, tiles + r * kPanel, adds);
  }
  switch (count - r) {
    case 5: micro<5>(rows + r, depth, panel, tiles + r * kPanel, adds); break;
    case 4: micro<4>(rows + r, depth, panel, tiles + r * kPanel, adds); break;
    case 3: micro<3>(rows + r, depth, panel, tiles + r * kPanel, adds); break;
    case 2: micro<2>(rows + r, depth, panel, tiles + r * kPanel, adds); break;
    case 1: micro<1>(rows + r, depth, panel, tiles + r * kPanel, adds); break;
    default: break;
  }
}

/// `depth` × 16 weights from `index` on as floats: in place, or converted into `buffer`.
QS_INLINE const float *panel_slice(const void *packed, int32_t storage, int64_t index, int64_t depth, float *buffer) {
  if (storage == QS_F32) return static_cast<const float *>(packed) + index;
  if (storage == QS_BF16) {
    for (int64_t i = 0; i < depth * kPanel; i += 8) store(buffer + i, load_weights<QS_BF16>(packed, index + i));
  } else {
    for (int64_t i = 0; i < depth * kPanel; i += 8) store(buffer + i, load_weights<QS_F16>(packed, index + i));
  }
  return buffer;
}

/// Where those weights lie, to be fetched ahead.
QS_INLINE Ahead slice_ahead(const void *packed, int32_t storage, int64_t index, int64_t depth) {
  const int64_t size = storage == QS_F32 ? 4 : 2;
  return {static_cast<const char *>(packed) + index * size, depth * kPanel * size / kCacheLine};
}

/// Asks for `count` floats that are written soon, and for as many of `residual` where there is one: rows of a result lie too far apart for the
/// processor to foresee them.
QS_INLINE void fetch_places(const float *out, const float *residual, int64_t count) {
  for (int64_t i = 0; i < count; i += kCacheLine / int64_t(sizeof(float))) {
    __builtin_prefetch(out + i, 1, 3);
    if (residual) __builtin_prefetch(residual + i, 0, 3);
  }
}

QS_INLINE F8 activate(F8 value, int32_t activation) {
  switch (activation) {
    case QS_SILU: return silu(value);
    case QS_GELU: return gelu(value);
    case QS_GELU_TANH: return gelu_tanh(value);
    default: return value;
  }
}

/// Eight finished sums of columns `column`…, of which `count` exist: bias, activation, residual.
QS_INLINE void finish8(
    F8 value, int64_t column, int64_t count, const float *bias, int32_t activation, const float *residual, float *out) {
  if (count >= 8) {
    if (bias) value += load(bias + column);
    value = activate(value, activation);
    if (residual) value += load(residual + column);
    store(out + column, value);
    return;
  }
  for (int64_t i = 0; i < count; ++i) {
    if (bias) value[i] += bias[column + i];
  }
  value = activate(value, activation);
  for (int64_t i = 0; i < count; ++i) out[column + i] = residual ? value[i] + residual[column + i] : value[i];
}

/// One row of a panel's sums, columns `panel`·16…, to its place.
QS_INLINE void finish_row(
    const float *tile, int64_t panel, int64_t outputs, const float *bias, int32_t activation, const float *residual, float *out) {
  if (activation == QS_GEGLU) {
    const int64_t half = outputs / 2, column = panel * 8, count = half - column;
    F8 value = load(tile), gate = load(tile + 8);
    if (bias && count >= 8) {
      value += load(bias + column);
      gate += load(bias + half + column);
    } else {
      for (int64_t i = 0; bias && i < count; ++i) {
        value[i] += bias[column + i];
        gate[i] += bias[half + column + i];
      }
    }
    finish8(value * gelu(gate), column, count, nullptr, QS_NONE, residual, out);
    return;
  }
  const int64_t column = panel * kPanel;
  finish8(load(tile), column, outputs - column, bias, activation, residual, out);
  if (outputs - column > 8) finish8(load(tile + 8), column + 8, outputs - column - 8, bias, activation, residual, out);
}

/// Depth of the slices that `inputs` are cut into, about equal ones.
inline int64_t slice_depth(int64_t inputs) {
  const int64_t slices = (inputs + kDepth - 1) / kDepth;
  return slices == 0 ? 0 : (inputs + slices - 1) / slices;
}

inline int64_t panels_of(int64_t outputs) { return (outputs + kPanel - 1) / kPanel; }

/// How many of `panels` one task takes, at most `most`, so that there are several tasks per thread.
inline int64_t panels_per_task(int64_t panels, int64_t most, int64_t other_tasks, int threads) {
  int64_t per = most < panels ? most : panels;
  while (per > 1 && other_tasks * ((panels + per - 1) / per) < 6 * threads) per = (per + 1) / 2;
  return per;
}

}  // namespace quickstep

QS_SIMD_END

#endif
