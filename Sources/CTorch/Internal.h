#pragma once
#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "CTorch.h"

namespace quickstep {

/// Keeps `message` for qs_last_error and records it in the innermost error scope.
void record(const std::string &message);
/// Keeps `message` for qs_last_error only: for answers of "no" that are no failures.
void note(const std::string &message);
/// Message of the exception being handled. Call inside a catch block only.
std::string current_message();

inline c10::TensorImpl *impl(qs_tensor tensor) { return reinterpret_cast<c10::TensorImpl *>(tensor); }

/// A new owned handle.
inline qs_tensor give(at::Tensor tensor) {
  if (!tensor.defined()) return nullptr;
  return reinterpret_cast<qs_tensor>(tensor.unsafeReleaseIntrusivePtr().release());
}

/// A tensor that shares the handle's reference count.
inline at::Tensor share(qs_tensor tensor) {
  if (!tensor) return at::Tensor();
  return at::Tensor(c10::intrusive_ptr<c10::TensorImpl>::unsafe_reclaim_from_nonowning(impl(tensor)));
}

/// libtorch_cuda.so, opened at the first call where it is there; otherwise NULL, with the reason in `qs_last_error`.
void *cuda_library();

struct Generator {
  at::Generator value;
};

/// Counts the multiplications of one operator call, where this thread counts them: shapes are read before the call, which may consume its stack,
/// and of its result.
class OperationCount {
 public:
  OperationCount(const std::string &name, const std::vector<c10::IValue> &arguments);
  void finish(const std::vector<c10::IValue> &results) const;

 private:
  /// Multiplications per element of the result; 0 where the operator is not counted.
  double per_element_ = 0;
};

/// Runs `body`, turning any exception into a recorded message and status 1.
template <typename Body>
int guarded(Body &&body) {
  try {
    body();
    return 0;
  } catch (...) {
    record(current_message());
    return 1;
  }
}

}  // namespace quickstep
