#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <algorithm>
#include <memory>

#include "Internal.h"

// Counts the bytes of tensors that a thread asks for, through the reports that libtorch's allocators give to whoever asks for them on a thread.

namespace {

struct Count final : c10::MemoryReportingInfoBase {
  int64_t live = 0;
  int64_t peak = 0;

  void reportMemoryUsage(void *, int64_t bytes, size_t, size_t, c10::Device) override {
    live += bytes;
    peak = std::max(peak, live);
  }

  void reportOutOfMemory(int64_t, size_t, size_t, c10::Device) override {}

  bool memoryProfilingEnabled() const override { return true; }
};

constexpr auto kind = c10::DebugInfoKind::PROFILER_STATE;

thread_local std::shared_ptr<Count> active;

}  // namespace

int qs_count_begin(void) {
  return quickstep::guarded([] {
    qs_count_end();
    auto count = std::make_shared<Count>();
    c10::ThreadLocalDebugInfo::_push(kind, count);
    active = std::move(count);
  });
}

int64_t qs_count_live(void) { return active ? active->live : 0; }

int64_t qs_count_peak(void) { return active ? active->peak : 0; }

void qs_count_end(void) {
  if (!active) return;
  active.reset();
  c10::ThreadLocalDebugInfo::_pop(kind);
}

// ---- Multiplications ---------------------------------------------------------------------------------------------------

namespace {

thread_local bool counts_operations = false;
thread_local double operations = 0;

const at::Tensor *tensor_at(const std::vector<c10::IValue> &values, size_t index) {
  if (index >= values.size() || !values[index].isTensor()) return nullptr;
  const at::Tensor &tensor = values[index].toTensor();
  return tensor.defined() ? &tensor : nullptr;
}

}  // namespace

quickstep::OperationCount::OperationCount(const std::string &name, const std::vector<c10::IValue> &arguments) {
  if (!counts_operations) return;
  const at::Tensor *first = tensor_at(arguments, 0), *second = tensor_at(arguments, 1);
  if (!first || !second || first->dim() == 0 || second->dim() == 0) return;
  // Each element of a product is a sum over the dimension that both sides share.
  if (name == "aten::matmul" || name == "aten::bmm" || name == "aten::mm" || name == "aten::linear") {
    per_element_ = static_cast<double>(first->size(-1));
  } else if (name == "aten::addmm") {
    per_element_ = static_cast<double>(second->size(-1));
  } else if (name == "aten::conv1d" || name == "aten::conv2d") {
    per_element_ = static_cast<double>(second->numel()) / std::max<int64_t>(1, second->size(0));
  } else if (name == "aten::conv_transpose2d" && first->dim() == 4) {
    // Every input element meets the whole kernel; spread over the result's elements when it is known.
    per_element_ = -static_cast<double>(first->numel()) * static_cast<double>(second->numel()) / std::max<int64_t>(1, second->size(0));
  } else if (name == "aten::scaled_dot_product_attention" && second->dim() >= 2) {
    // Scores and mixing: for each element of the result one product per key, and as much for the scores.
    const at::Tensor *value = tensor_at(arguments, 2);
    if (!value) return;
    const double keys = static_cast<double>(second->size(-2));
    per_element_ = keys * (1 + static_cast<double>(first->size(-1)) / std::max<int64_t>(1, value->size(-1)));
  }
}

void quickstep::OperationCount::finish(const std::vector<c10::IValue> &results) const {
  if (per_element_ == 0) return;
  if (per_element_ < 0) {
    operations -= per_element_;
  } else if (const at::Tensor *result = tensor_at(results, 0)) {
    operations += per_element_ * static_cast<double>(result->numel());
  }
}

void qs_operations_begin(void) {
  counts_operations = true;
  operations = 0;
}

void qs_operations_add(double count) {
  if (counts_operations) operations += count;
}

double qs_operations_end(void) {
  counts_operations = false;
  return operations;
}
