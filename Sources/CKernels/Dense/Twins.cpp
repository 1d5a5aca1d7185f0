// What the kernels mean, term by term and in Double: the reference of their tests, and the way to run where they cannot.
#include <cmath>
#include <vector>

#include "../include/CKernelsDense.h"

namespace {

double activated(double x, int32_t activation) {
  switch (activation) {
    case QS_SILU: return x / (1 + std::exp(-x));
    case QS_GELU: return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
    case QS_GELU_TANH: return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    default: return x;
  }
}

/// All sums of one row to its results.
void finish(const std::vector<double> &sums, const float *bias, const qs_epilogue &epilogue, int64_t row, float *out) {
  const bool gated = epilogue.activation == QS_GEGLU;
  const int64_t width = int64_t(sums.size()) / (gated ? 2 : 1);
  const auto biased = [&](int64_t i) { return sums[i] + (bias ? bias[i] : 0); };
  for (int64_t i = 0; i < width; ++i) {
    double value = gated ? biased(i) * activated(biased(width + i), QS_GELU) : activated(biased(i), epilogue.activation);
    if (epilogue.residual) value += epilogue.residual[row * width + i];
    out[row * width + i] = float(value);
  }
}

}  // namespace

extern "C" {

void qs_matrix_multiply_scalar(
    const float *in, int64_t rows, int64_t inputs, const float *weight, int64_t outputs, const qs_epilogue *epilogue, float *out) {
  std::vector<double> sums(outputs);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t o = 0; o < outputs; ++o) {
      sums[o] = 0;
      for (int64_t i = 0; i < inputs; ++i) sums[o] += double(in[r * inputs + i]) * weight[o * inputs + i];
    }
    finish(sums, epilogue->bias, *epilogue, r, out);
  }
}

void qs_convolution_scalar(
    const float *in, const qs_convolution *s, const float *weight, const qs_epilogue *epilogue, float *out) {
  const int64_t height = qs_convolution_out_height(s), width = qs_convolution_out_width(s);
  std::vector<double> sums(s->outputs);
  for (int64_t pixel = 0; pixel < s->batch * height * width; ++pixel) {
    const int64_t b = pixel / (height * width), y = pixel / width % height, x = pixel % width;
    for (int64_t o = 0; o < s->outputs; ++o) {
      sums[o] = 0;
      for (int64_t i = 0; i < s->inputs; ++i) {
        for (int64_t tap = 0; tap < s->kernel * s->kernel; ++tap) {
          const int64_t v = y * s->stride + tap / s->kernel - s->pad_top, u = x * s->stride + tap % s->kernel - s->pad_left;
          if (v < 0 || u < 0 || v >= s->height || u >= s->width) continue;
          sums[o] += double(in[((b * s->height + v) * s->width + u) * s->inputs + i])
                     * weight[(o * s->inputs + i) * s->kernel * s->kernel + tap];
        }
      }
    }
    finish(sums, epilogue->bias ? epilogue->bias + b * epilogue->bias_stride : nullptr, *epilogue, pixel, out);
  }
}

void qs_group_norm_scalar(
    const float *in, int64_t batch, int64_t pixels, int64_t channels, int64_t groups, const float *scale, const float *shift,
    double epsilon, int32_t activation, float *out) {
  const int64_t size = channels / groups;
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t group = 0; group < groups; ++group) {
      const auto over = [&](auto visit) {
        for (int64_t i = 0; i < pixels; ++i) {
          for (int64_t c = group * size; c < (group + 1) * size; ++c) visit((b * pixels + i) * channels + c, c);
        }
      };
      double mean = 0, variance = 0;
      over([&](int64_t index, int64_t) { mean += in[index]; });
      mean /= double(pixels * size);
      over([&](int64_t index, int64_t) { variance += (in[index] - mean) * (in[index] - mean); });
      variance /= double(pixels * size);
      over([&](int64_t index, int64_t c) {
        const double normed = (in[index] - mean) / std::sqrt(variance + epsilon);
        out[index] = float(activated(normed * (scale ? scale[c] : 1) + (shift ? shift[c] : 0), activation));
      });
    }
  }
}

void qs_attention_scalar(const qs_attention_shape *s, const float *query, const float *key, const float *value, float *out) {
  std::vector<double> scores(s->keys);
  for (int64_t b = 0; b < s->batch; ++b) {
    for (int64_t h = 0; h < s->heads; ++h) {
      for (int64_t q = 0; q < s->queries; ++q) {
        const float *left = query + b * s->query_batch + q * s->query_stride + h * s->size;
        double largest = -INFINITY, total = 0;
        for (int64_t k = 0; k < s->keys; ++k) {
          const float *right = key + b * s->key_batch + k * s->key_stride + h * s->size;
          scores[k] = 0;
          for (int64_t i = 0; i < s->size; ++i) scores[k] += double(left[i]) * right[i];
          scores[k] = scores[k] * s->scale + (s->mask ? s->mask[b * s->keys + k] : 0);
          largest = std::fmax(largest, scores[k]);
        }
        for (double &score : scores) total += score = std::exp(score - largest);
        for (int64_t i = 0; i < s->size; ++i) {
          double sum = 0;
          for (int64_t k = 0; k < s->keys; ++k) sum += scores[k] * value[b * s->value_batch + k * s->value_stride + h * s->size + i];
          out[b * s->out_batch + q * s->out_stride + h * s->size + i] = float(sum / total);
        }
      }
    }
  }
}

}  // extern "C"
