#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/Stream.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "Internal.h"

// Recording and playing the work of a GPU. libtorch's CUDA half is opened while running and nothing here is linked against it: streams come through
// c10's interface for devices of any kind, and at::cuda::CUDAGraph through its functions' names in the library, which hold for the one release that
// the set-up installs.

using namespace quickstep;

namespace {

using Pool = std::pair<unsigned long long, unsigned long long>;

/// Member functions of at::cuda::CUDAGraph: on the platforms of libtorch's CUDA builds the object comes before the arguments.
struct GraphFunctions {
  void (*construct)(void *self, bool keep_graph);
  void (*destroy)(void *self);
  void (*begin)(void *self, Pool pool, int mode);
  void (*end)(void *self);
  void (*replay)(void *self);
};

template <typename Function>
void find(void *library, const char *name, Function &function) {
  void *address = dlsym(library, name);
  TORCH_CHECK(address, "libtorch_cuda.so has no ", name, "; it is another release than ", qs_version());
  std::memcpy(&function, &address, sizeof(address));
}

const GraphFunctions &functions() {
  static const GraphFunctions found = [] {
    void *library = cuda_library();
    TORCH_CHECK(library, "graphs need libtorch's CUDA library: ", qs_last_error());
    GraphFunctions result{};
    find(library, "_ZN2at4cuda9CUDAGraphC1Eb", result.construct);
    find(library, "_ZN2at4cuda9CUDAGraphD1Ev", result.destroy);
    find(library, "_ZN2at4cuda9CUDAGraph13capture_beginESt4pairIyyE21cudaStreamCaptureMode", result.begin);
    find(library, "_ZN2at4cuda9CUDAGraph11capture_endEv", result.end);
    find(library, "_ZN2at4cuda9CUDAGraph6replayEv", result.replay);
    return result;
  }();
  return found;
}

/// cudaStreamCaptureModeThreadLocal: what other threads do meanwhile does not spoil the recording.
constexpr int thread_local_mode = 1;

/// Room for an at::cuda::CUDAGraph: its members in the header of libtorch 2.11 take less than 200 bytes.
constexpr size_t graph_bytes = 4096;

struct Graph {
  c10::Device device;
  c10::Stream stream;
  /// What the thread goes back to.
  std::optional<std::pair<c10::Device, c10::Stream>> former;
  bool captures = false;
  bool is_made = false;
  alignas(std::max_align_t) std::byte memory[graph_bytes]{};

  Graph(c10::Device device, c10::Stream stream) : device(device), stream(stream) {}
  Graph(const Graph &) = delete;
  Graph &operator=(const Graph &) = delete;

  ~Graph() {
    if (is_made) functions().destroy(memory);
  }
};

Graph &graph_of(qs_graph graph) { return *reinterpret_cast<Graph *>(graph); }

c10::impl::VirtualGuardImpl guard() { return c10::impl::VirtualGuardImpl(c10::DeviceType::CUDA); }

}  // namespace

int qs_graph_create(int32_t device_index, qs_graph *result) {
  return guarded([&] {
    functions();
    const int32_t count = qs_cuda_device_count();
    TORCH_CHECK(count > 0, "graphs need a GPU: ", qs_last_error());
    const int32_t index = std::max(device_index, 0);
    TORCH_CHECK(index < count, "there is no GPU ", index, "; this machine has ", count);
    const c10::Device device(c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(index));
    auto graph = std::make_unique<Graph>(device, guard().getStreamFromGlobalPool(device));
    functions().construct(graph->memory, false);
    graph->is_made = true;
    *result = reinterpret_cast<qs_graph>(graph.release());
  });
}

int qs_graph_enter(qs_graph graph) {
  return guarded([&] {
    auto &self = graph_of(graph);
    TORCH_CHECK(!self.former, "a graph's stream was entered twice");
    const auto machine = guard();
    machine.synchronizeDevice(self.device.index());
    const c10::Device device = machine.exchangeDevice(self.device);
    self.former.emplace(device, machine.exchangeStream(self.stream));
  });
}

int qs_graph_leave(qs_graph graph) {
  return guarded([&] {
    auto &self = graph_of(graph);
    if (!self.former) return;
    const auto machine = guard();
    // First of all the thread must not stay on this stream, whatever the device has to say.
    const auto [device, stream] = *std::exchange(self.former, std::nullopt);
    machine.exchangeStream(stream);
    machine.exchangeDevice(device);
    machine.synchronizeDevice(self.device.index());
  });
}

int qs_graph_capture_begin(qs_graph graph) {
  return guarded([&] {
    auto &self = graph_of(graph);
    TORCH_CHECK(self.former && !self.captures, "a recording begins once and on the graph's stream");
    self.captures = true;
    // The recording gets memory of its own; what the runs before it left in the allocator's hands would lie idle beside it.
    c10::getDeviceAllocator(c10::DeviceType::CUDA)->emptyCache();
    functions().begin(self.memory, Pool{0, 0}, thread_local_mode);
  });
}

int qs_graph_capture_end(qs_graph graph) {
  return guarded([&] { functions().end(graph_of(graph).memory); });
}

int qs_graph_replay(qs_graph graph) {
  return guarded([&] { functions().replay(graph_of(graph).memory); });
}

void qs_graph_release(qs_graph graph) { delete reinterpret_cast<Graph *>(graph); }
