// Work sharing on the threads that libtorch already has.
#ifndef QUICKSTEP_PARALLEL_H
#define QUICKSTEP_PARALLEL_H

#include <atomic>
#include <cstdint>

namespace quickstep {

/// Threads that `parallel` uses at most: what libtorch was told, or 1 in a program without its OpenMP library.
int thread_count();

/// Runs `body(argument)` once on each thread of the pool.
void on_all_threads(void (*body)(void *), void *argument);

/// Runs `work(task, slot)` for every task in 0..<count. Tasks are taken one by one, in order, by whichever thread is free, so that a thread
/// which the machine holds up delays nobody. `slot` numbers the threads at work, 0..<thread_count(): tasks with equal slots never overlap.
template <typename Work>
void parallel(int64_t count, const Work &work) {
  struct Shared {
    const Work *work;
    int64_t count;
    std::atomic<int64_t> next{0};
    std::atomic<int> slots{0};
  } shared{&work, count};
  const auto body = [](void *argument) {
    Shared &shared = *static_cast<Shared *>(argument);
    const int slot = shared.slots.fetch_add(1, std::memory_order_relaxed);
    for (;;) {
      const int64_t task = shared.next.fetch_add(1, std::memory_order_relaxed);
      if (task >= shared.count) return;
      (*shared.work)(task, slot);
    }
  };
  if (count <= 1) {
    body(&shared);
  } else {
    on_all_threads(body, &shared);
  }
}

}  // namespace quickstep

#endif
