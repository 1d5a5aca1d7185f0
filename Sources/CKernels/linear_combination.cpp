#include "CKernels.h"

// Products and sums must not be contracted to fused multiply-adds: the result would depend on the machine.
#pragma STDC FP_CONTRACT OFF

// One body compiled for AVX2 and for the base instruction set, chosen when the library is loaded.
#if defined(__x86_64__) && defined(__linux__)
#define QS_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define QS_CLONES
#endif

namespace {

// Elements per block: accumulators and one block of every input stay in the first-level cache.
constexpr int64_t kBlock = 512;
// Weights of single elements are read once and come from far away: longer runs of each are what the processor foresees.
constexpr int64_t kFieldBlock = 2048;

template <typename T>
__attribute__((always_inline)) inline void combine(
    T *out, int64_t count, const T *const *inputs, const double *coefficients, int32_t terms) {
  alignas(64) double sums[kBlock];
  for (int64_t start = 0; start < count; start += kBlock) {
    const int64_t length = count - start < kBlock ? count - start : kBlock;
    for (int64_t i = 0; i < length; ++i) sums[i] = 0.0;
    for (int32_t k = 0; k < terms; ++k) {
      const T *input = inputs[k] + start;
      const double coefficient = coefficients[k];
      for (int64_t i = 0; i < length; ++i) sums[i] += coefficient * static_cast<double>(input[i]);
    }
    for (int64_t i = 0; i < length; ++i) out[start + i] = static_cast<T>(sums[i]);
  }
}

template <typename T>
void combine_scalar(T *out, int64_t count, const T *const *inputs, const double *coefficients, int32_t terms) {
  for (int64_t i = 0; i < count; ++i) {
    double sum = 0.0;
    for (int32_t k = 0; k < terms; ++k) sum += coefficients[k] * static_cast<double>(inputs[k][i]);
    out[i] = static_cast<T>(sum);
  }
}

// Weights that differ from element to element of a sample, or one for all where the pointer is null.
template <typename T>
__attribute__((always_inline)) inline void combine_fields(
    T *out, int64_t samples, int64_t count, const T *const *inputs, const double *const *fields, const double *coefficients, int32_t terms) {
  alignas(64) double sums[kFieldBlock];
  for (int64_t sample = 0; sample < samples; ++sample) {
    for (int64_t start = 0; start < count; start += kFieldBlock) {
      const int64_t length = count - start < kFieldBlock ? count - start : kFieldBlock;
      const int64_t offset = sample * count + start;
      for (int64_t i = 0; i < length; ++i) sums[i] = 0.0;
      for (int32_t k = 0; k < terms; ++k) {
        const T *input = inputs[k] + offset;
        if (fields[k]) {
          const double *field = fields[k] + start;
          for (int64_t i = 0; i < length; ++i) sums[i] += field[i] * static_cast<double>(input[i]);
        } else {
          const double coefficient = coefficients[k];
          for (int64_t i = 0; i < length; ++i) sums[i] += coefficient * static_cast<double>(input[i]);
        }
      }
      for (int64_t i = 0; i < length; ++i) out[offset + i] = static_cast<T>(sums[i]);
    }
  }
}

template <typename T>
void combine_fields_scalar(
    T *out, int64_t samples, int64_t count, const T *const *inputs, const double *const *fields, const double *coefficients, int32_t terms) {
  for (int64_t i = 0; i < samples * count; ++i) {
    double sum = 0.0;
    for (int32_t k = 0; k < terms; ++k) sum += (fields[k] ? fields[k][i % count] : coefficients[k]) * static_cast<double>(inputs[k][i]);
    out[i] = static_cast<T>(sum);
  }
}

}  // namespace

extern "C" {

QS_CLONES void qs_linear_combination_f32(
    float *out, int64_t count, const float *const *inputs, const double *coefficients, int32_t terms) {
  combine(out, count, inputs, coefficients, terms);
}

QS_CLONES void qs_linear_combination_f64(
    double *out, int64_t count, const double *const *inputs, const double *coefficients, int32_t terms) {
  combine(out, count, inputs, coefficients, terms);
}

void qs_linear_combination_f32_scalar(
    float *out, int64_t count, const float *const *inputs, const double *coefficients, int32_t terms) {
  combine_scalar(out, count, inputs, coefficients, terms);
}

void qs_linear_combination_f64_scalar(
    double *out, int64_t count, const double *const *inputs, const double *coefficients, int32_t terms) {
  combine_scalar(out, count, inputs, coefficients, terms);
}

QS_CLONES void qs_field_combination_f32(
    float *out, int64_t samples, int64_t count, const float *const *inputs, const double *const *fields, const double *coefficients,
    int32_t terms) {
  combine_fields(out, samples, count, inputs, fields, coefficients, terms);
}

QS_CLONES void qs_field_combination_f64(
    double *out, int64_t samples, int64_t count, const double *const *inputs, const double *const *fields, const double *coefficients,
    int32_t terms) {
  combine_fields(out, samples, count, inputs, fields, coefficients, terms);
}

void qs_field_combination_f32_scalar(
    float *out, int64_t samples, int64_t count, const float *const *inputs, const double *const *fields, const double *coefficients,
    int32_t terms) {
  combine_fields_scalar(out, samples, count, inputs, fields, coefficients, terms);
}

void qs_field_combination_f64_scalar(
    double *out, int64_t samples, int64_t count, const double *const *inputs, const double *const *fields, const double *coefficients,
    int32_t terms) {
  combine_fields_scalar(out, samples, count, inputs, fields, coefficients, terms);
}

}  // extern "C"
