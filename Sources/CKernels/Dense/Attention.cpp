#include <algorithm>
#include <cmath>

#include "MicroKernel.h"
#include "Parallel.h"

using namespace quickstep;

namespace {

/// Keys whose scores are held at a time, a multiple of kPanel: 96 queries times as many floats stay in the second-level cache.
constexpr int64_t kBlockKeys = 256;
/// Scores are kept in units of ln 2: powers of two are cheaper than those of e.
constexpr float kPerLogarithm = 1.44269504f;

int64_t key_panels(const qs_attention_shape &s) { return panels_of(s.keys); }
int64_t value_panels(const qs_attention_shape &s) { return panels_of(s.size); }

int64_t packed_floats(const qs_attention_shape &s) {
  return key_panels(s) * kPanel * s.size + value_panels(s) * kPanel * key_panels(s) * kPanel;
}

int64_t slot_floats(const qs_attention_shape &s) {
  return kBlockRows * (s.size + 2 * kBlockKeys + value_panels(s) * kPanel + 2 * 8);
}

}  // namespace

QS_SIMD_BEGIN

namespace {

/// Keys transposed into panels of 16 keys, values into panels of 16 channels.
void pack_head(const qs_attention_shape &s, const float *key, const float *value, float *packed) {
  const int64_t padded = key_panels(s) * kPanel;
  for (int64_t panel = 0; panel < key_panels(s); ++panel) {
    float *to = packed + panel * kPanel * s.size;
    for (int64_t column = 0; column < kPanel; ++column) {
      const int64_t k = panel * kPanel + column;
      for (int64_t i = 0; i < s.size; ++i) to[i * kPanel + column] = k < s.keys ? key[k * s.key_stride + i] : 0.0f;
    }
  }
  float *values = packed + padded * s.size;
  for (int64_t panel = 0; panel < value_panels(s); ++panel) {
    const int64_t width = std::min(kPanel, s.size - panel * kPanel);
    for (int64_t k = 0; k < padded; ++k) {
      float *to = values + (panel * padded + k) * kPanel;
      for (int64_t i = 0; i < kPanel; ++i) to[i] = k < s.keys && i < width ? value[k * s.value_stride + panel * kPanel + i] : 0.0f;
    }
  }
}

/// Turns the scores of one block of keys, in units of ln 2, into weights relative to the largest score so far, row by row. Returns through `decay` by how much
/// what was added up before has to shrink.
QS_INLINE void soften(
    float *scores, int64_t row, int64_t keys, const float *mask, float *weights, float *largest_so_far, float *total, float *decay) {
  // `scores` is [panels][kBlockRows][16]; the keys beyond `keys` of the last panel are filling, which weighs nothing.
  const int64_t panels = panels_of(keys);
  for (int64_t k = keys; k < panels * kPanel; ++k) scores[(k / kPanel * kBlockRows + row) * kPanel + k % kPanel] = -INFINITY;
  for (int64_t k = 0; mask && k < keys; ++k) scores[(k / kPanel * kBlockRows + row) * kPanel + k % kPanel] += mask[k] * kPerLogarithm;
  F8 most = all(*largest_so_far);
  for (int64_t p = 0; p < panels; ++p) {
    const float *tile = scores + (p * kBlockRows + row) * kPanel;
    most = maximum(most, maximum(load(tile), load(tile + 8)));
  }
  const float highest = largest(most);
  if (highest == -INFINITY) {
    // All keys so far are hidden: nothing to add, and nothing was added.
    for (int64_t p = 0; p < panels * 2; ++p) store(weights + p * 8, all(0.0f));
    *decay = 1;
    return;
  }
  const F8 origin = all(highest);
  F8 sums = all(0.0f);
  for (int64_t p = 0; p < panels; ++p) {
    const float *tile = scores + (p * kBlockRows + row) * kPanel;
    const F8 left = power_of_two(load(tile) - origin), right = power_of_two(load(tile + 8) - origin);
    sums += left + right;
    store(weights + p * kPanel, left);
    store(weights + p * kPanel + 8, right);
  }
  // 0 at the first block, whatever stands there.
  *decay = std::exp2(*largest_so_far - highest);
  *total = *total * *decay + sum(sums);
  *largest_so_far = highest;
}

/// The results of some queries of one head.
void attend(
    const qs_attention_shape &s, const float *query, int64_t count, const float *packed, const float *mask, float *out, float *scratch) {
  const int64_t padded = key_panels(s) * kPanel, panels = value_panels(s);
  float *queries = scratch, *scores = queries + kBlockRows * s.size, *weights = scores + kBlockRows * kBlockKeys;
  float *results = weights + kBlockRows * kBlockKeys, *largest_so_far = results + kBlockRows * panels * kPanel, *total = largest_so_far + kBlockRows;
  const float *rows[kBlockRows], *weight_rows[kBlockRows];
  const float scale = s.scale * kPerLogarithm;
  for (int64_t r = 0; r < count; ++r) {
    for (int64_t i = 0; i < s.size; ++i) queries[r * s.size + i] = query[r * s.query_stride + i] * scale;
    rows[r] = queries + r * s.size;
    weight_rows[r] = weights + r * kBlockKeys;
    largest_so_far[r] = -INFINITY;
    total[r] = 0;
  }
  for (int64_t start = 0; start < s.keys; start += kBlockKeys) {
    const int64_t keys = std::min(kBlockKeys, s.keys - start), blocks = panels_of(keys);
    for (int64_t p = 0; p < blocks; ++p) {
      micro_rows(rows, count, s.size, packed + (start / kPanel + p) * kPanel * s.size, scores + p * kBlockRows * kPanel, false);
    }
    for (int64_t r = 0; r < count; ++r) {
      float decay;
      soften(
          scores, r, keys, mask ? mask + start : nullptr, weights + r * kBlockKeys, largest_so_far + r, total + r, &decay);
      if (start > 0 && decay != 1.0f) {
        for (int64_t p = 0; p < panels; ++p) {
          float *tile = results + (p * kBlockRows + r) * kPanel;
          store(tile, load(tile) * all(decay));
          store(tile + 8, load(tile + 8) * all(decay));
        }
      }
    }
    for (int64_t p = 0; p < panels; ++p) {
      const float *values = packed + padded * s.size + (p * padded + start) * kPanel;
      float *sums = results + p * kBlockRows * kPanel;
      if (s.size - p * kPanel <= 8) {
        micro_rows_half(weight_rows, count, blocks * kPanel, values, sums, start > 0);
      } else {
        micro_rows(weight_rows, count, blocks * kPanel, values, sums, start > 0);
      }
    }
  }
  for (int64_t r = 0; r < count; ++r) {
    const F8 inverse = all(1.0f / total[r]);
    for (int64_t i = 0; i < s.size; i += 8) {
      finish8(load(results + (i / kPanel * kBlockRows + r) * kPanel + i % kPanel) * inverse, i, s.size - i, nullptr, QS_NONE, nullptr, out + r * s.out_stride);
    }
  }
}

}  // namespace

QS_SIMD_END

extern "C" {

int64_t qs_attention_scratch(const qs_attention_shape *s) {
  return (s->batch * s->heads * packed_floats(*s) + thread_count() * slot_floats(*s)) * int64_t(sizeof(float));
}

void qs_attention(
    const qs_attention_shape *s, const float *query, const float *key, const float *value, float *out, void *scratch) {
  const int64_t heads = s->batch * s->heads, packed = packed_floats(*s);
  float *all_heads = static_cast<float *>(scratch), *slots = all_heads + heads * packed;
  parallel(heads, [&](int64_t task, int) {
    const int64_t b = task / s->heads, h = task % s->heads;
    pack_head(*s, key + b * s->key_batch + h * s->size, value + b * s->value_batch + h * s->size, all_heads + task * packed);
  });
  const int64_t blocks = (s->queries + kBlockRows - 1) / kBlockRows;
  const int64_t height = ((s->queries + blocks - 1) / blocks + kRows - 1) / kRows * kRows;
  parallel(heads * blocks, [&](int64_t task, int slot) {
    const int64_t head = task / blocks, b = head / s->heads, h = head % s->heads, first = task % blocks * height;
    if (first >= s->queries) return;
    attend(
        *s, query + b * s->query_batch + h * s->size + first * s->query_stride, std::min(height, s->queries - first), all_heads + head * packed,
        s->mask ? s->mask + b * s->keys : nullptr, out + b * s->out_batch + h * s->size + first * s->out_stride, slots + slot * slot_floats(*s));
  });
}

}  // extern "C"
