// Hand-written kernels of Quickstep, as plain C. Pointers are host memory; nothing is allocated, thrown or logged.
#ifndef QUICKSTEP_CKERNELS_H
#define QUICKSTEP_CKERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "CKernelsDense.h"

#ifdef __cplusplus
extern "C" {
#endif

// out[i] = sum over k of coefficients[k] * inputs[k][i], for i in 0..<count; the terms are added in order, in double, and rounded once.
// Memory is passed over once, whatever the number of terms.
// `out` may be one of the inputs only if it is exactly that input (same start); any other overlap gives undefined values.
// With terms == 0, out becomes 0.
void qs_linear_combination_f32(
    float *out, int64_t count, const float *const *inputs, const double *coefficients, int32_t terms);
void qs_linear_combination_f64(
    double *out, int64_t count, const double *const *inputs, const double *coefficients, int32_t terms);

// The same sums element by element: what the kernels above must equal bit for bit.
void qs_linear_combination_f32_scalar(
    float *out, int64_t count, const float *const *inputs, const double *coefficients, int32_t terms);
void qs_linear_combination_f64_scalar(
    double *out, int64_t count, const double *const *inputs, const double *coefficients, int32_t terms);

// The same with weights that differ from element to element: out[b][i] = sum over k of w[k][i] * inputs[k][b][i] for b in 0..<samples and i in
// 0..<count, where w[k] is fields[k], `count` numbers, or coefficients[k] for all elements where fields[k] is null.
void qs_field_combination_f32(
    float *out, int64_t samples, int64_t count, const float *const *inputs, const double *const *fields, const double *coefficients,
    int32_t terms);
void qs_field_combination_f64(
    double *out, int64_t samples, int64_t count, const double *const *inputs, const double *const *fields, const double *coefficients,
    int32_t terms);
void qs_field_combination_f32_scalar(
    float *out, int64_t samples, int64_t count, const float *const *inputs, const double *const *fields, const double *coefficients,
    int32_t terms);
void qs_field_combination_f64_scalar(
    double *out, int64_t samples, int64_t count, const double *const *inputs, const double *const *fields, const double *coefficients,
    int32_t terms);

#ifdef __cplusplus
}
#endif

#endif
