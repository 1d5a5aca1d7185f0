// A plain C interface to the part of libtorch that Quickstep uses. This target is the only one that sees ATen.
//
// Rules. No C++ exception crosses this interface: functions that can fail return a status (0 = success) and leave a message for
// `qs_last_error`. A `qs_tensor` is one owned reference to a tensor; whoever receives it releases it once. NULL is the undefined tensor.
#ifndef QUICKSTEP_CTORCH_H
#define QUICKSTEP_CTORCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct qs_tensor_opaque *qs_tensor;
typedef struct qs_operator_opaque *qs_operator;
typedef struct qs_frame_opaque *qs_frame;
typedef struct qs_generator_opaque *qs_generator;

// ---- Errors ------------------------------------------------------------------------------------------------------------

/// The message of the last failure on this thread; valid until the next failure on it.
const char *qs_last_error(void);
/// Opens an error scope on this thread. Failures that happen inside are recorded; the first one is kept.
void qs_error_scope_begin(void);
/// Closes the innermost scope. Returns the first recorded message, or NULL when nothing failed. Valid until the next call on this thread.
const char *qs_error_scope_end(void);
/// Records a failure in the innermost scope of this thread, as a failing operator would.
void qs_error_record(const char *message);

// ---- Tensors -----------------------------------------------------------------------------------------------------------

void qs_tensor_retain(qs_tensor tensor);
void qs_tensor_release(qs_tensor tensor);
int64_t qs_tensor_dimensions(qs_tensor tensor);
/// The sizes; valid while the tensor lives and is not resized.
const int64_t *qs_tensor_sizes(qs_tensor tensor);
const int64_t *qs_tensor_strides(qs_tensor tensor);
int64_t qs_tensor_count(qs_tensor tensor);
/// c10::ScalarType as an integer.
int32_t qs_tensor_dtype(qs_tensor tensor);
/// c10::DeviceType as an integer, and the index (-1: current).
void qs_tensor_device(qs_tensor tensor, int32_t *type, int32_t *index);
bool qs_tensor_is_contiguous(qs_tensor tensor, int32_t memory_format);
/// Address of the first element, or NULL when the tensor has no storage of its own (meta tensors, layouts without memory).
void *qs_tensor_data(qs_tensor tensor);
int64_t qs_tensor_use_count(qs_tensor tensor);

/// Wraps memory that the caller keeps alive until `release(context)` is called, which a failed call never does. Row-major.
int qs_tensor_from_memory(void *data, const int64_t *sizes, int64_t dimensions, int32_t dtype, void *context,
                          void (*release)(void *context), qs_tensor *result);

// ---- Autograd ----------------------------------------------------------------------------------------------------------

bool qs_tensor_requires_grad(qs_tensor tensor);
int qs_tensor_set_requires_grad(qs_tensor tensor, bool value);
/// The accumulated gradient, or NULL.
qs_tensor qs_tensor_grad(qs_tensor tensor);
int qs_tensor_set_grad(qs_tensor tensor, qs_tensor gradient);
/// Back-propagates from `roots` (with `gradients`, whose entries may be NULL for scalars) into the leaves.
int qs_backward(const qs_tensor *roots, const qs_tensor *gradients, int64_t count, bool keep_graph);
/// Gradients of `outputs` with respect to `inputs`, written to `results` (NULL where unused is allowed and the input is unused).
int qs_gradients(const qs_tensor *outputs, const qs_tensor *output_gradients, int64_t output_count, const qs_tensor *inputs,
                 int64_t input_count, bool keep_graph, bool create_graph, bool allow_unused, qs_tensor *results);
bool qs_grad_mode(void);
void qs_set_grad_mode(bool enabled);
/// Inference mode: no autograd bookkeeping at all. Returns a guard to be given back on the same thread.
void *qs_inference_begin(void);
void qs_inference_end(void *guard);
/// Mixed precision on one device type; returns the former setting.
bool qs_autocast_enabled(int32_t device_type);
int32_t qs_autocast_dtype(int32_t device_type);
void qs_set_autocast(int32_t device_type, bool enabled, int32_t dtype);
void qs_autocast_clear_cache(void);

// ---- Operators ---------------------------------------------------------------------------------------------------------

/// Finds an operator by schema name ("aten::add") and overload ("Tensor", may be empty). NULL when there is none.
qs_operator qs_operator_find(const char *name, const char *overload);
/// The schema as libtorch prints it. The caller frees the string with `qs_string_free`.
char *qs_operator_schema(qs_operator op);
void qs_string_free(char *string);

/// A call in the making. Arguments are pushed in schema order; trailing ones that are not pushed take the schema's defaults.
qs_frame qs_frame_begin(qs_operator op);
void qs_push_tensor(qs_frame frame, qs_tensor tensor);
void qs_push_none(qs_frame frame);
void qs_push_int(qs_frame frame, int64_t value);
void qs_push_double(qs_frame frame, double value);
void qs_push_bool(qs_frame frame, bool value);
void qs_push_string(qs_frame frame, const char *value);
void qs_push_ints(qs_frame frame, const int64_t *values, int64_t count);
void qs_push_doubles(qs_frame frame, const double *values, int64_t count);
void qs_push_bools(qs_frame frame, const bool *values, int64_t count);
void qs_push_tensors(qs_frame frame, const qs_tensor *values, int64_t count);
/// A list whose NULL entries mean "absent" (`Tensor?[]`).
void qs_push_optional_tensors(qs_frame frame, const qs_tensor *values, int64_t count);
void qs_push_generator(qs_frame frame, qs_generator generator);
void qs_push_device(qs_frame frame, int32_t type, int32_t index);
/// Runs the call; afterwards the results can be taken by index. On failure the message is also recorded in the error scope.
int qs_frame_call(qs_frame frame);
int64_t qs_frame_result_count(qs_frame frame);
qs_tensor qs_frame_take_tensor(qs_frame frame, int64_t index);
int64_t qs_frame_int(qs_frame frame, int64_t index);
double qs_frame_double(qs_frame frame, int64_t index);
bool qs_frame_bool(qs_frame frame, int64_t index);
/// Length of a tensor-list result.
int64_t qs_frame_list_count(qs_frame frame, int64_t index);
qs_tensor qs_frame_list_tensor(qs_frame frame, int64_t index, int64_t element);
void qs_frame_end(qs_frame frame);

// ---- Random numbers ----------------------------------------------------------------------------------------------------

int qs_generator_create(int32_t device_type, int32_t device_index, uint64_t seed, qs_generator *result);
void qs_generator_release(qs_generator generator);
void qs_generator_seed(qs_generator generator, uint64_t seed);
int qs_generator_state(qs_generator generator, qs_tensor *result);
int qs_generator_set_state(qs_generator generator, qs_tensor state);

// ---- Graphs ------------------------------------------------------------------------------------------------------------

typedef struct qs_graph_opaque *qs_graph;

/// A recorder of work on a GPU, with a stream and, while it records, a memory pool of its own. Fails with the reason where libtorch's CUDA half, a
/// function of it or the device is not there.
int qs_graph_create(int32_t device_index, qs_graph *result);
/// Waits for the device, then has this thread queue its work on the graph's stream until `qs_graph_leave`. Not to be nested.
int qs_graph_enter(qs_graph graph);
/// Waits for the device and goes back to the stream from before.
int qs_graph_leave(qs_graph graph);
/// From now on the work of this thread is recorded and not done. Inside enter and leave, once per graph.
int qs_graph_capture_begin(qs_graph graph);
/// Ends the recording. Fails where something was asked for that cannot be recorded; the graph is of no use then.
int qs_graph_capture_end(qs_graph graph);
/// Queues all that was recorded on this thread's current stream.
int qs_graph_replay(qs_graph graph);
void qs_graph_release(qs_graph graph);

/// From now on operators of this thread that read or make a tensor in main memory are noted. With origins, where everything is in main memory, it is
/// those instead that read a tensor that comes neither from them nor from such operators, and those that make one without being told a device.
int qs_host_watch_begin(const qs_tensor *origins, int64_t count);
/// Ends the watch. The names of these operators, each once and on a line of its own, or NULL when there were none. Free with `qs_string_free`.
char *qs_host_watch_end(void);

// ---- Machine -----------------------------------------------------------------------------------------------------------

const char *qs_version(void);
void qs_set_threads(int32_t count);
int32_t qs_threads(void);
/// Opens libtorch_cuda.so once, if it is there. Returns the number of usable devices; 0 with a reason in `qs_last_error` otherwise.
int32_t qs_cuda_device_count(void);
int qs_cuda_synchronize(int32_t index);
/// Flush-to-zero for denormal numbers on this thread and the worker threads that start later.
bool qs_set_flush_denormals(bool enabled);
/// Has the allocator keep freed pages for the next allocation and not hand them back to the system.
void qs_keep_freed_pages(void);
/// From now on the bytes of tensors in main memory that this thread asks for are counted, from zero.
int qs_count_begin(void);
/// Bytes that are in use of those counted on this thread, and the most that were at once; 0 where nothing is counted.
int64_t qs_count_live(void);
int64_t qs_count_peak(void);
/// Ends counting on this thread.
void qs_count_end(void);
/// From now on the multiplications (with their additions) of this thread's products, convolutions and attentions are counted, from zero.
void qs_operations_begin(void);
/// Adds what kernels beside libtorch's do; nothing where nothing is counted.
void qs_operations_add(double count);
/// Multiplications counted on this thread so far; counting ends.
double qs_operations_end(void);
/// Sets whether library code must use deterministic algorithms.
void qs_set_deterministic(bool enabled);
/// The build and instruction-set description libtorch gives of itself. Free with `qs_string_free`.
char *qs_configuration(void);

#ifdef __cplusplus
}
#endif
#endif
