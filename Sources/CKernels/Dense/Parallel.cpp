#include "Parallel.h"

#include <dlfcn.h>

namespace quickstep {
namespace {

// libtorch brings GNU's OpenMP library. A second pool of threads beside it would wait actively while the first one works, so its own entry
// points are used, which are stable. They are found when first needed: this target has to work without libtorch as well.
struct OpenMP {
  void (*parallel)(void (*)(void *), void *, unsigned, unsigned);
  int (*threads)();
  int (*is_inside)();

  OpenMP() {
    parallel = reinterpret_cast<decltype(parallel)>(dlsym(RTLD_DEFAULT, "GOMP_parallel"));
    threads = reinterpret_cast<decltype(threads)>(dlsym(RTLD_DEFAULT, "omp_get_max_threads"));
    is_inside = reinterpret_cast<decltype(is_inside)>(dlsym(RTLD_DEFAULT, "omp_in_parallel"));
  }
  bool usable() const { return parallel && threads && is_inside; }
};

const OpenMP &openmp() {
  static const OpenMP found;
  return found;
}

}  // namespace

int thread_count() { return openmp().usable() && !openmp().is_inside() ? openmp().threads() : 1; }

void on_all_threads(void (*body)(void *), void *argument) {
  const int threads = thread_count();
  if (threads <= 1) {
    body(argument);
  } else {
    openmp().parallel(body, argument, static_cast<unsigned>(threads), 0);
  }
}

}  // namespace quickstep
