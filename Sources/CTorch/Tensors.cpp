#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/variable.h>

#include <memory>
#include <vector>

#include "HostWatch.h"
#include "Internal.h"

using namespace quickstep;

void qs_tensor_retain(qs_tensor tensor) {
  if (tensor) c10::raw::intrusive_ptr::incref(impl(tensor));
}

void qs_tensor_release(qs_tensor tensor) {
  if (tensor) c10::raw::intrusive_ptr::decref(impl(tensor));
}

int64_t qs_tensor_dimensions(qs_tensor tensor) { return impl(tensor)->dim(); }
const int64_t *qs_tensor_sizes(qs_tensor tensor) { return impl(tensor)->sizes().data(); }
const int64_t *qs_tensor_strides(qs_tensor tensor) { return impl(tensor)->strides().data(); }
int64_t qs_tensor_count(qs_tensor tensor) { return impl(tensor)->numel(); }
int32_t qs_tensor_dtype(qs_tensor tensor) { return static_cast<int32_t>(c10::typeMetaToScalarType(impl(tensor)->dtype())); }

void qs_tensor_device(qs_tensor tensor, int32_t *type, int32_t *index) {
  const auto device = impl(tensor)->device();
  *type = static_cast<int32_t>(device.type());
  *index = device.index();
}

bool qs_tensor_is_contiguous(qs_tensor tensor, int32_t memory_format) {
  return impl(tensor)->is_contiguous(static_cast<c10::MemoryFormat>(memory_format));
}

void *qs_tensor_data(qs_tensor tensor) {
  if (host_watch) host_watch->note("a tensor's memory");
  void *data = nullptr;
  try {
    data = impl(tensor)->mutable_data();
  } catch (...) {
    record(current_message());
  }
  return data;
}

int64_t qs_tensor_use_count(qs_tensor tensor) { return tensor ? static_cast<int64_t>(c10::raw::intrusive_ptr::use_count(impl(tensor))) : 0; }

int qs_tensor_from_memory(void *data, const int64_t *sizes, int64_t dimensions, int32_t dtype, void *context,
                          void (*release)(void *context), qs_tensor *result) {
  // A shape may be refused before or after libtorch has made the storage, whose end calls the deleter. Either way the caller releases
  // the context of a failed call.
  auto made = std::make_shared<bool>(false);
  return guarded([&] {
    auto deleter = [context, release, made](void *) {
      if (*made) release(context);
    };
    auto tensor = at::from_blob(
        data, at::IntArrayRef(sizes, dimensions), deleter, at::TensorOptions().dtype(static_cast<at::ScalarType>(dtype)));
    *made = true;
    *result = give(std::move(tensor));
  });
}

// ---- Autograd ----------------------------------------------------------------------------------------------------------

bool qs_tensor_requires_grad(qs_tensor tensor) { return tensor && share(tensor).requires_grad(); }

int qs_tensor_set_requires_grad(qs_tensor tensor, bool value) {
  return guarded([&] { share(tensor).set_requires_grad(value); });
}

qs_tensor qs_tensor_grad(qs_tensor tensor) { return tensor ? give(share(tensor).grad()) : nullptr; }

int qs_tensor_set_grad(qs_tensor tensor, qs_tensor gradient) {
  return guarded([&] { share(tensor).mutable_grad() = share(gradient); });
}

static torch::autograd::variable_list list(const qs_tensor *handles, int64_t count) {
  torch::autograd::variable_list result;
  result.reserve(count);
  for (int64_t i = 0; i < count; ++i) result.push_back(share(handles[i]));
  return result;
}

int qs_backward(const qs_tensor *roots, const qs_tensor *gradients, int64_t count, bool keep_graph) {
  return guarded([&] { torch::autograd::backward(list(roots, count), list(gradients, count), keep_graph, false, {}); });
}

int qs_gradients(const qs_tensor *outputs, const qs_tensor *output_gradients, int64_t output_count, const qs_tensor *inputs,
                 int64_t input_count, bool keep_graph, bool create_graph, bool allow_unused, qs_tensor *results) {
  return guarded([&] {
    auto gradients = torch::autograd::grad(list(outputs, output_count), list(inputs, input_count), list(output_gradients, output_count),
                                           keep_graph, create_graph, allow_unused);
    for (int64_t i = 0; i < input_count; ++i) results[i] = give(gradients[i]);
  });
}

bool qs_grad_mode(void) { return at::GradMode::is_enabled(); }
void qs_set_grad_mode(bool enabled) { at::GradMode::set_enabled(enabled); }
void *qs_inference_begin(void) { return new c10::InferenceMode(true); }
void qs_inference_end(void *guard) { delete static_cast<c10::InferenceMode *>(guard); }

bool qs_autocast_enabled(int32_t type) { return at::autocast::is_autocast_enabled(static_cast<at::DeviceType>(type)); }
int32_t qs_autocast_dtype(int32_t type) {
  return static_cast<int32_t>(at::autocast::get_autocast_dtype(static_cast<at::DeviceType>(type)));
}
void qs_set_autocast(int32_t type, bool enabled, int32_t dtype) {
  at::autocast::set_autocast_dtype(static_cast<at::DeviceType>(type), static_cast<at::ScalarType>(dtype));
  at::autocast::set_autocast_enabled(static_cast<at::DeviceType>(type), enabled);
}
void qs_autocast_clear_cache(void) { at::autocast::clear_cache(); }
