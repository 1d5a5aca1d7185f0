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
