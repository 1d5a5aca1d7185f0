// Prepared layers for CPUs with AVX2 and FMA: matrices and convolutions whose weights were packed once, normalisation and attention.
//
// Activations are float32 with channels innermost: tokens `[rows, channels]`, pictures `[B, H, W, C]`. Packed weights are float32, bfloat16
// or float16; sums are float32 throughout. Where a function takes `scratch`, the caller gives memory of the size that its `_scratch`
// companion names, aligned to 64 bytes. Work is shared among libtorch's threads. Every function has a scalar twin of the same meaning.
#ifndef QUICKSTEP_CKERNELS_DENSE_H
#define QUICKSTEP_CKERNELS_DENSE_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Whether this machine runs the kernels below; the twins run everywhere.
bool qs_dense_available(void);

/// How packed weights are stored.
enum { QS_F32 = 0, QS_BF16 = 1, QS_F16 = 2 };

/// What is applied to a sum before it is stored. GEGLU takes a weight of 2n rows and gives n outputs: row i times GELU of row n + i.
enum { QS_NONE = 0, QS_SILU = 1, QS_GELU = 2, QS_GELU_TANH = 3, QS_GEGLU = 4 };

/// What follows the sums: out = activation(sum + bias) + residual. Null pointers leave their part out.
typedef struct {
  const float *bias;       ///< `[outputs]`, or `[batch, outputs]` when bias_stride is not 0
  int64_t bias_stride;     ///< elements from one sample's bias to the next; 0: one for all
  const float *residual;   ///< laid out as the result is
  int32_t activation;
} qs_epilogue;

// ---- Matrices ----------------------------------------------------------------------------------------------------------

/// Elements of a packed matrix of `outputs` × `inputs`: outputs are filled up to panels of 16.
int64_t qs_matrix_packed_count(int64_t outputs, int64_t inputs);
/// Packs `weight`, row-major `[outputs, inputs]` float32, into `packed` of type `storage`. With `paired` (for GEGLU) a panel holds eight rows
/// of the first half and the eight rows of the second half that belong to them.
void qs_matrix_pack(const float *weight, int64_t outputs, int64_t inputs, bool paired, int32_t storage, void *packed);
/// Bytes of scratch for the multiplication.
int64_t qs_matrix_scratch(int64_t inputs);
/// `out[rows, outputs]` from `in[rows, inputs]`. With GEGLU the result has outputs / 2 columns.
void qs_matrix_multiply(
    const float *in, int64_t rows, int64_t inputs, const void *packed, int32_t storage, int64_t outputs, const qs_epilogue *epilogue,
    float *out, void *scratch);
/// The same from the unpacked weight, in Double, term by term.
void qs_matrix_multiply_scalar(
    const float *in, int64_t rows, int64_t inputs, const float *weight, int64_t outputs, const qs_epilogue *epilogue, float *out);

// ---- Convolutions ------------------------------------------------------------------------------------------------------

typedef struct {
  int64_t batch, height, width, inputs, outputs;
  int64_t kernel, stride;
  int64_t pad_top, pad_left, pad_bottom, pad_right;
} qs_convolution;

/// Sides of the result.
int64_t qs_convolution_out_height(const qs_convolution *shape);
int64_t qs_convolution_out_width(const qs_convolution *shape);
/// Elements of a packed kernel `[outputs, inputs, kernel, kernel]`.
int64_t qs_convolution_packed_count(const qs_convolution *shape);
/// Packs a row-major `[outputs, inputs, kernel, kernel]` float32 kernel. One packing serves the direct and the Winograd form.
void qs_convolution_pack(const float *weight, const qs_convolution *shape, int32_t storage, void *packed);
/// Bytes of scratch of the direct form.
int64_t qs_convolution_scratch(const qs_convolution *shape);
/// `out[B, H', W', outputs]` from `in[B, H, W, inputs]`, by multiply and add in the order of the definition up to blocking.
void qs_convolution_direct(
    const float *in, const qs_convolution *shape, const void *packed, int32_t storage, const qs_epilogue *epilogue, float *out,
    void *scratch);
/// The same from the unpacked kernel, in Double.
void qs_convolution_scalar(
    const float *in, const qs_convolution *shape, const float *weight, const qs_epilogue *epilogue, float *out);

/// Whether Winograd's form exists for this shape: 3×3, stride 1.
bool qs_winograd_applies(const qs_convolution *shape);
/// Bytes of scratch for F(tile×tile, 3×3); `tile` is 2 or 4.
int64_t qs_winograd_scratch(const qs_convolution *shape, int32_t tile);
/// As qs_convolution_direct, by Winograd's minimal filtering F(tile×tile, 3×3) (Lavin & Gray 2016, arXiv 1509.09308): 2.25 times fewer
/// multiplications for tile 2, 4 times fewer for tile 4. Kernels are transformed while the convolution runs, so weights take no more memory.
void qs_convolution_winograd(
    const float *in, const qs_convolution *shape, int32_t tile, const void *packed, int32_t storage, const qs_epilogue *epilogue,
    float *out, void *scratch);

// ---- Normalisation -----------------------------------------------------------------------------------------------------

/// Group normalisation of `[B, pixels, channels]`, then scale, shift and activation (QS_NONE or QS_SILU) in the same pass.
void qs_group_norm(
    const float *in, int64_t batch, int64_t pixels, int64_t channels, int64_t groups, const float *scale, const float *shift,
    double epsilon, int32_t activation, float *out, void *scratch);
int64_t qs_group_norm_scratch(int64_t batch, int64_t pixels, int64_t channels);
void qs_group_norm_scalar(
    const float *in, int64_t batch, int64_t pixels, int64_t channels, int64_t groups, const float *scale, const float *shift,
    double epsilon, int32_t activation, float *out);

// ---- Attention ---------------------------------------------------------------------------------------------------------

/// softmax(Q·Kᵀ·scale)·V for every batch and head, without ever holding the scores of more than one block. Queries, keys, values and
/// results are `[B, tokens, heads, size]` with their own strides between tokens; `size` at most 512.
typedef struct {
  int64_t batch, heads, size, queries, keys;
  int64_t query_stride, key_stride, value_stride, out_stride;      ///< elements between tokens
  int64_t query_batch, key_batch, value_batch, out_batch;          ///< elements between samples
  float scale;
  const float *mask;                                               ///< `[batch, keys]`, added to the scores; null: none
} qs_attention_shape;

int64_t qs_attention_scratch(const qs_attention_shape *shape);
void qs_attention(
    const qs_attention_shape *shape, const float *query, const float *key, const float *value, float *out, void *scratch);
void qs_attention_scalar(const qs_attention_shape *shape, const float *query, const float *key, const float *value, float *out);

#ifdef __cplusplus
}
#endif

#endif
