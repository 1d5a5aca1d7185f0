#include <ATen/core/dispatch/Dispatcher.h>

#include <cstring>
#include <memory>
#include <sstream>
#include <vector>

#include "HostWatch.h"
#include "Internal.h"

using namespace quickstep;

namespace {

/// A frame owns the argument stack of one call; afterwards the stack holds the results.
struct Frame {
  const c10::OperatorHandle *op = nullptr;
  torch::jit::Stack stack;
};

/// Calls nest (an operator may call back), so frames are pooled per thread instead of being one per thread.
thread_local std::vector<std::unique_ptr<Frame>> pool;

Frame *frame_of(qs_frame frame) { return reinterpret_cast<Frame *>(frame); }
const c10::OperatorHandle *handle_of(qs_operator op) { return reinterpret_cast<const c10::OperatorHandle *>(op); }

/// The shapes of the tensor arguments, for messages: "aten::mm([2, 3] float, [4, 5] float)".
std::string describe(const Frame &frame, const torch::jit::Stack &arguments) {
  std::ostringstream out;
  out << frame.op->schema().name() << "(";
  bool first = true;
  auto tensor = [&](const at::Tensor &value) {
    if (!first) out << ", ";
    first = false;
    if (!value.defined()) {
      out << "undefined";
    } else {
      out << value.sizes() << " " << value.scalar_type();
    }
  };
  for (const auto &argument : arguments) {
    if (argument.isTensor()) {
      tensor(argument.toTensor());
    } else if (argument.isTensorList()) {
      for (const at::Tensor &value : argument.toTensorVector()) tensor(value);
    }
  }
  out << ")";
  return out.str();
}

void append_defaults(Frame &frame) {
  const auto &arguments = frame.op->schema().arguments();
  for (size_t i = frame.stack.size(); i < arguments.size(); ++i) {
    TORCH_CHECK(arguments[i].default_value().has_value(), frame.op->schema().name(), ": argument '", arguments[i].name(), "' is missing");
    frame.stack.push_back(*arguments[i].default_value());
  }
}

}  // namespace

qs_operator qs_operator_find(const char *name, const char *overload) {
  try {
    auto found = c10::Dispatcher::singleton().findSchema({name, overload});
    // Handles are small and asked for once per operator and process; they live as long as it does.
    if (found) return reinterpret_cast<qs_operator>(new c10::OperatorHandle(*found));
  } catch (...) {
    record(current_message());
  }
  return nullptr;
}

char *qs_operator_schema(qs_operator op) {
  std::ostringstream out;
  out << handle_of(op)->schema();
  return strdup(out.str().c_str());
}

void qs_string_free(char *string) { free(string); }

qs_frame qs_frame_begin(qs_operator op) {
  std::unique_ptr<Frame> frame;
  if (pool.empty()) {
    frame = std::make_unique<Frame>();
    frame->stack.reserve(16);
  } else {
    frame = std::move(pool.back());
    pool.pop_back();
  }
  frame->op = handle_of(op);
  return reinterpret_cast<qs_frame>(frame.release());
}

void qs_frame_end(qs_frame frame) {
  auto *owned = frame_of(frame);
  owned->stack.clear();
  pool.emplace_back(owned);
}

void qs_push_tensor(qs_frame frame, qs_tensor tensor) { frame_of(frame)->stack.emplace_back(share(tensor)); }
void qs_push_none(qs_frame frame) { frame_of(frame)->stack.emplace_back(); }
void qs_push_int(qs_frame frame, int64_t value) { frame_of(frame)->stack.emplace_back(value); }
void qs_push_double(qs_frame frame, double value) { frame_of(frame)->stack.emplace_back(value); }
void qs_push_bool(qs_frame frame, bool value) { frame_of(frame)->stack.emplace_back(value); }
void qs_push_string(qs_frame frame, const char *value) { frame_of(frame)->stack.emplace_back(std::string(value)); }

void qs_push_ints(qs_frame frame, const int64_t *values, int64_t count) {
  frame_of(frame)->stack.emplace_back(at::IntArrayRef(values, count));
}
void qs_push_doubles(qs_frame frame, const double *values, int64_t count) {
  frame_of(frame)->stack.emplace_back(at::ArrayRef<double>(values, count));
}
void qs_push_bools(qs_frame frame, const bool *values, int64_t count) {
  c10::List<bool> list;
  for (int64_t i = 0; i < count; ++i) list.push_back(values[i]);
  frame_of(frame)->stack.emplace_back(std::move(list));
}
void qs_push_tensors(qs_frame frame, const qs_tensor *values, int64_t count) {
  c10::List<at::Tensor> list;
  list.reserve(count);
  for (int64_t i = 0; i < count; ++i) list.push_back(share(values[i]));
  frame_of(frame)->stack.emplace_back(std::move(list));
}
void qs_push_optional_tensors(qs_frame frame, const qs_tensor *values, int64_t count) {
  c10::List<std::optional<at::Tensor>> list;
  list.reserve(count);
  for (int64_t i = 0; i < count; ++i) {
    list.push_back(values[i] ? std::optional<at::Tensor>(share(values[i])) : std::nullopt);
  }
  frame_of(frame)->stack.emplace_back(std::move(list));
}
void qs_push_generator(qs_frame frame, qs_generator generator) {
  frame_of(frame)->stack.emplace_back(reinterpret_cast<quickstep::Generator *>(generator)->value);
}
void qs_push_device(qs_frame frame, int32_t type, int32_t index) {
  frame_of(frame)->stack.emplace_back(c10::Device(static_cast<c10::DeviceType>(type), static_cast<c10::DeviceIndex>(index)));
}

int qs_frame_call(qs_frame frame) {
  auto &self = *frame_of(frame);
  std::string shapes;
  try {
    append_defaults(self);
    HostWatch *watch = host_watch;
    const bool is_suspect = watch && watch->suspects(self.stack);
    const OperationCount count(self.op->schema().name(), self.stack);
    self.op->callBoxed(self.stack);
    count.finish(self.stack);
    if (watch) watch->saw(self.op->schema().name(), is_suspect, self.stack);
    return 0;
  } catch (...) {
    // The kernel may have consumed the stack; what is left of it is enough to name the shapes in most failures.
    std::string message = current_message();
    try {
      shapes = describe(self, self.stack);
    } catch (...) {
      shapes = self.op->schema().name();
    }
    record(shapes + ": " + message);
    self.stack.clear();
    return 1;
  }
}

int64_t qs_frame_result_count(qs_frame frame) { return static_cast<int64_t>(frame_of(frame)->stack.size()); }

qs_tensor qs_frame_take_tensor(qs_frame frame, int64_t index) {
  auto &value = frame_of(frame)->stack[index];
  return value.isTensor() ? give(std::move(value).toTensor()) : nullptr;
}
int64_t qs_frame_int(qs_frame frame, int64_t index) {
  const auto &value = frame_of(frame)->stack[index];
  return value.isInt() ? value.toInt() : value.isScalar() ? value.toScalar().toLong() : 0;
}
double qs_frame_double(qs_frame frame, int64_t index) {
  const auto &value = frame_of(frame)->stack[index];
  return value.isScalar() ? value.toScalar().toDouble() : 0;
}
bool qs_frame_bool(qs_frame frame, int64_t index) {
  const auto &value = frame_of(frame)->stack[index];
  return value.isBool() && value.toBool();
}
int64_t qs_frame_list_count(qs_frame frame, int64_t index) {
  const auto &value = frame_of(frame)->stack[index];
  return value.isTensorList() ? static_cast<int64_t>(value.toListRef().size()) : 0;
}
qs_tensor qs_frame_list_tensor(qs_frame frame, int64_t index, int64_t element) {
  return give(frame_of(frame)->stack[index].toListRef()[element].toTensor());
}
