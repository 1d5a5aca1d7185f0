#include <cstdlib>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <dlfcn.h>
#include <torch/version.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <thread>

#include "Internal.h"

using namespace quickstep;

// ---- Random numbers ----------------------------------------------------------------------------------------------------

int qs_generator_create(int32_t device_type, int32_t device_index, uint64_t seed, qs_generator *result) {
  return guarded([&] {
    const auto type = static_cast<c10::DeviceType>(device_type);
    at::Generator generator = type == c10::DeviceType::CPU
                                  ? at::make_generator<at::CPUGeneratorImpl>(seed)
                                  : at::globalContext().getAcceleratorHooksInterface(type).getNewGenerator(device_index);
    generator.set_current_seed(seed);
    *result = reinterpret_cast<qs_generator>(new quickstep::Generator{generator});
  });
}

void qs_generator_release(qs_generator generator) { delete reinterpret_cast<quickstep::Generator *>(generator); }

void qs_generator_seed(qs_generator generator, uint64_t seed) {
  auto &value = reinterpret_cast<quickstep::Generator *>(generator)->value;
  std::lock_guard<std::mutex> lock(value.mutex());
  value.set_current_seed(seed);
}

int qs_generator_state(qs_generator generator, qs_tensor *result) {
  return guarded([&] {
    auto &value = reinterpret_cast<quickstep::Generator *>(generator)->value;
    std::lock_guard<std::mutex> lock(value.mutex());
    *result = give(value.get_state());
  });
}

int qs_generator_set_state(qs_generator generator, qs_tensor state) {
  return guarded([&] {
    auto &value = reinterpret_cast<quickstep::Generator *>(generator)->value;
    std::lock_guard<std::mutex> lock(value.mutex());
    value.set_state(share(state));
  });
}

// ---- Machine -----------------------------------------------------------------------------------------------------------

const char *qs_version(void) { return TORCH_VERSION; }
void qs_set_threads(int32_t count) {
  // OpenMP ends the process when it cannot start as many as it was told.
  const int32_t most = 8 * std::max(1u, std::thread::hardware_concurrency());
  at::set_num_threads(std::clamp(count, 1, most));
}
int32_t qs_threads(void) { return at::get_num_threads(); }
void qs_keep_freed_pages(void) {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_TOP_PAD, 64 << 20);
#endif
}

bool qs_set_flush_denormals(bool enabled) { return at::globalContext().setFlushDenormal(enabled); }
void qs_set_deterministic(bool enabled) { at::globalContext().setDeterministicAlgorithms(enabled, true); }
char *qs_configuration(void) { return strdup((at::show_config() + at::get_parallel_info()).c_str()); }

static void *opened_cuda_library = nullptr;

void *quickstep::cuda_library() {
  qs_cuda_device_count();
  return opened_cuda_library;
}

int32_t qs_cuda_device_count(void) {
  static std::once_flag once;
  static int32_t count = 0;
  static std::string reason;
  // The hooks look for a CUDA library once, at their first use, so it has to be open before anything asks.
  std::call_once(once, [] {
    opened_cuda_library = dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL);
    if (!opened_cuda_library) {
      reason = dlerror();
      return;
    }
    try {
      count = at::globalContext().hasCUDA() ? static_cast<int32_t>(at::detail::getCUDAHooks().deviceCount()) : 0;
      if (count == 0) reason = "libtorch_cuda.so is there but finds no usable device";
    } catch (...) {
      reason = current_message();
    }
  });
  if (count == 0) note(reason);
  return count;
}

int qs_cuda_synchronize(int32_t index) {
  return guarded([&] { at::detail::getCUDAHooks().deviceSynchronize(static_cast<c10::DeviceIndex>(index)); });
}
