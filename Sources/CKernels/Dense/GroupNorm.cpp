#include <algorithm>
#include <cmath>

#include "MicroKernel.h"
#include "Parallel.h"

using namespace quickstep;

namespace {

constexpr int64_t kChunk = 128;

int64_t chunks_of(int64_t pixels) { return (pixels + kChunk - 1) / kChunk; }

/// Scale and shift of every channel of one sample from the sums of its chunks: y = x·factor + offset.
void close_sums(
    const float *first, const float *sums, int64_t pixels, int64_t channels, int64_t groups, const float *scale, const float *shift,
    double epsilon, float *factors) {
  const int64_t size = channels / groups, chunks = chunks_of(pixels);
  for (int64_t group = 0; group < groups; ++group) {
    // Chan, Golub & LeVeque: means and sums of squared deviations of parts, joined.
    double mean = 0, deviation = 0, count = 0;
    for (int64_t c = group * size; c < (group + 1) * size; ++c) {
      double total = 0, squares = 0;
      for (int64_t chunk = 0; chunk < chunks; ++chunk) {
        total += sums[(chunk * 2) * channels + c];
        squares += sums[(chunk * 2 + 1) * channels + c];
      }
      const double n = double(pixels), own = first[c] + total / n, own_deviation = squares - total * total / n;
      const double distance = own - mean, joined = count + n;
      mean += distance * n / joined;
      deviation += own_deviation + distance * distance * count * n / joined;
      count = joined;
    }
    const double inverse = 1 / std::sqrt(std::max(0.0, deviation / count) + epsilon);
    for (int64_t c = group * size; c < (group + 1) * size; ++c) {
      const double factor = inverse * (scale ? scale[c] : 1);
      factors[c] = float(factor);
      factors[channels + c] = float((shift ? shift[c] : 0) - mean * factor);
    }
  }
}

}  // namespace

QS_SIMD_BEGIN

namespace {

/// Sums of x − first and of its square over some pixels. Deviations from a value of the same channel keep the variance exact where the mean is
/// large beside it.
void add_up(const float *in, const float *first, int64_t pixels, int64_t channels, float *sums) {
  int64_t c = 0;
  for (; c + 8 <= channels; c += 8) {
    const F8 origin = load(first + c);
    F8 total = all(0.0f), squares = all(0.0f);
    for (int64_t i = 0; i < pixels; ++i) {
      const F8 value = load(in + i * channels + c) - origin;
      total += value;
      squares = fma(value, value, squares);
    }
    store(sums + c, total);
    store(sums + channels + c, squares);
  }
  for (; c < channels; ++c) {
    float total = 0, squares = 0;
    for (int64_t i = 0; i < pixels; ++i) {
      const float value = in[i * channels + c] - first[c];
      total += value;
      squares += value * value;
    }
    sums[c] = total;
    sums[channels + c] = squares;
  }
}

void apply(const float *in, const float *factors, int64_t pixels, int64_t channels, int32_t activation, float *out) {
  const float *offsets = factors + channels;
  for (int64_t i = 0; i < pixels; ++i) {
    const float *from = in + i * channels;
    float *to = out + i * channels;
    int64_t c = 0;
    for (; c + 8 <= channels; c += 8) {
      const F8 value = fma(load(from + c), load(factors + c), load(offsets + c));
      store(to + c, activation == QS_SILU ? silu(value) : value);
    }
    for (; c < channels; ++c) {
      const float value = from[c] * factors[c] + offsets[c];
      to[c] = activation == QS_SILU ? value / (1 + std::exp(-value)) : value;
    }
  }
}

}  // namespace

QS_SIMD_END

extern "C" {

int64_t qs_group_norm_scratch(int64_t batch, int64_t pixels, int64_t channels) {
  return (batch * chunks_of(pixels) * 2 + batch * 2) * channels * int64_t(sizeof(float));
}

void qs_group_norm(
    const float *in, int64_t batch, int64_t pixels, int64_t channels, int64_t groups, const float *scale, const float *shift,
    double epsilon, int32_t activation, float *out, void *scratch) {
  const int64_t chunks = chunks_of(pixels);
  float *factors = static_cast<float *>(scratch), *sums = factors + batch * 2 * channels;
  parallel(batch * chunks, [&](int64_t task, int) {
    const float *sample = in + task / chunks * pixels * channels;
    const int64_t start = task % chunks * kChunk;
    add_up(sample + start * channels, sample, std::min(kChunk, pixels - start), channels, sums + task * 2 * channels);
  });
  for (int64_t b = 0; b < batch; ++b) {
    close_sums(
        in + b * pixels * channels, sums + b * chunks * 2 * channels, pixels, channels, groups, scale, shift, epsilon,
        factors + b * 2 * channels);
  }
  parallel(batch * chunks, [&](int64_t task, int) {
    const int64_t b = task / chunks, start = task % chunks * kChunk, offset = (b * pixels + start) * channels;
    apply(in + offset, factors + b * 2 * channels, std::min(kChunk, pixels - start), channels, activation, out + offset);
  });
}

}  // extern "C"
