#pragma once
#include <ATen/core/stack.h>

#include <string>
#include <unordered_set>
#include <vector>

#include "Internal.h"

namespace quickstep {

/// Notes operators of one thread that work with main memory where they should not.
class HostWatch {
 public:
  /// - origins: where everything is to come from, on a machine on which all of it is in main memory; without them everything in main memory is noted.
  explicit HostWatch(std::vector<at::Tensor> origins);

  /// Whether a call with these arguments is to be noted, before it is made.
  bool suspects(const torch::jit::Stack &arguments) const;
  /// After the call.
  void saw(const std::string &name, bool was_suspect, const torch::jit::Stack &results);
  void note(const std::string &name);
  const std::vector<std::string> &names() const { return noted; }

 private:
  bool by_origin;
  /// Tensors that are kept, so that no other one takes their place in memory.
  std::vector<at::Tensor> kept;
  std::unordered_set<const c10::TensorImpl *> known;
  std::vector<std::string> noted;
};

/// The watch of this thread, or NULL.
extern thread_local HostWatch *host_watch;

}  // namespace quickstep
