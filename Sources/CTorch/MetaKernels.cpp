// Shapes without values for the operators that libtorch gives such a form in Python only: what outlines of models are evaluated with.

#include <ATen/ATen.h>
#include <ATen/ExpandUtils.h>
#include <torch/library.h>

#include <tuple>

namespace {

using at::Tensor;

std::tuple<Tensor, Tensor, Tensor> layer_norm(
    const Tensor& input, at::IntArrayRef shape, const std::optional<Tensor>&, const std::optional<Tensor>&, double) {
  auto sizes = input.sizes().vec();
  for (size_t i = 0; i < shape.size(); ++i) sizes[sizes.size() - 1 - i] = 1;
  return {at::empty_like(input, at::MemoryFormat::Contiguous), input.new_empty(sizes), input.new_empty(sizes)};
}

std::tuple<Tensor, Tensor, Tensor> group_norm(
    const Tensor& input, const std::optional<Tensor>&, const std::optional<Tensor>&, int64_t count, int64_t, int64_t, int64_t groups, double) {
  return {at::empty_like(input, at::MemoryFormat::Contiguous), input.new_empty({count, groups}), input.new_empty({count, groups})};
}

Tensor convolution(
    const Tensor& input, const Tensor& weight, const std::optional<Tensor>&, at::IntArrayRef stride, at::IntArrayRef padding,
    at::IntArrayRef dilation, bool transposed, at::IntArrayRef, int64_t) {
  TORCH_CHECK(!transposed, "transposed convolutions have no form without values");
  std::vector<int64_t> sizes = {input.size(0), weight.size(0)};
  for (int64_t i = 2; i < input.dim(); ++i) {
    auto at = [i](at::IntArrayRef list) { return list[list.size() == 1 ? 0 : i - 2]; };
    sizes.push_back((input.size(i) + 2 * at(padding) - at(dilation) * (weight.size(i) - 1) - 1) / at(stride) + 1);
  }
  return input.new_empty(sizes);
}

Tensor index_select(const Tensor& input, int64_t dimension, const Tensor& index) {
  auto sizes = input.sizes().vec();
  sizes[at::maybe_wrap_dim(dimension, input.dim())] = index.numel();
  return input.new_empty(sizes);
}

Tensor where(const Tensor& condition, const Tensor& first, const Tensor& second) {
  auto sizes = at::infer_size(condition.sizes(), at::infer_size(first.sizes(), second.sizes()));
  return at::empty(sizes, condition.options().dtype(at::result_type(first, second)));
}

Tensor safe_softmax(const Tensor& input, int64_t, std::optional<at::ScalarType> type) {
  return at::empty_like(input, input.options().dtype(type.value_or(input.scalar_type())));
}

Tensor same(const Tensor& input) { return at::empty_like(input); }

Tensor logical_not(const Tensor& input) { return at::empty_like(input, input.options().dtype(at::kBool)); }

}  // namespace

TORCH_LIBRARY_IMPL(aten, Meta, library) {
  library.impl("native_layer_norm", layer_norm);
  library.impl("native_group_norm", group_norm);
  library.impl("convolution_overrideable", convolution);
  library.impl("index_select", index_select);
  library.impl("where.self", where);
  library.impl("_safe_softmax", safe_softmax);
  library.impl("relu", same);
  library.impl("logical_not", logical_not);
}
