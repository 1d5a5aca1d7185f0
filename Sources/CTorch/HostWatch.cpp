#include "HostWatch.h"

#include <algorithm>
#include <cstring>
#include <memory>

namespace quickstep {

thread_local HostWatch *host_watch = nullptr;
static thread_local std::unique_ptr<HostWatch> owned;

namespace {

template <typename Body>
void each_tensor(const torch::jit::Stack &values, Body &&body) {
  for (const auto &value : values) {
    if (value.isTensor()) {
      body(value.toTensor());
    } else if (value.isTensorList()) {
      for (const at::Tensor &tensor : value.toTensorVector()) body(tensor);
    }
  }
}

}  // namespace

HostWatch::HostWatch(std::vector<at::Tensor> origins) : by_origin(!origins.empty()), kept(std::move(origins)) {
  for (const auto &tensor : kept) known.insert(tensor.unsafeGetTensorImpl());
}

bool HostWatch::suspects(const torch::jit::Stack &arguments) const {
  bool any = false;
  bool is_suspect = false;
  each_tensor(arguments, [&](const at::Tensor &tensor) {
    if (!tensor.defined()) return;
    any = true;
    is_suspect |= by_origin ? known.count(tensor.unsafeGetTensorImpl()) == 0 : tensor.device().is_cpu();
  });
  if (is_suspect) return true;
  // A tensor made of nothing lies in main memory unless the call says where.
  return by_origin && !any && std::none_of(arguments.begin(), arguments.end(), [](const auto &value) { return value.isDevice(); });
}

void HostWatch::saw(const std::string &name, bool was_suspect, const torch::jit::Stack &results) {
  bool is_suspect = was_suspect;
  each_tensor(results, [&](const at::Tensor &tensor) {
    if (!tensor.defined()) return;
    if (by_origin) {
      if (!was_suspect && known.insert(tensor.unsafeGetTensorImpl()).second) kept.push_back(tensor);
    } else {
      is_suspect |= tensor.device().is_cpu();
    }
  });
  if (is_suspect) note(name);
}

void HostWatch::note(const std::string &name) {
  if (std::find(noted.begin(), noted.end(), name) == noted.end()) noted.push_back(name);
}

}  // namespace quickstep

using namespace quickstep;

int qs_host_watch_begin(const qs_tensor *origins, int64_t count) {
  return guarded([&] {
    std::vector<at::Tensor> tensors;
    for (int64_t i = 0; i < count; ++i) tensors.push_back(share(origins[i]));
    owned = std::make_unique<HostWatch>(std::move(tensors));
    host_watch = owned.get();
  });
}

char *qs_host_watch_end(void) {
  host_watch = nullptr;
  const auto watch = std::move(owned);
  if (!watch || watch->names().empty()) return nullptr;
  std::string names;
  for (const auto &name : watch->names()) names += (names.empty() ? "" : "\n") + name;
  return strdup(names.c_str());
}
