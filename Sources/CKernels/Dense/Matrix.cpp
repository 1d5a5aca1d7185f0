#include <algorithm>

#include "MicroKernel.h"
#include "Pack.h"
#include "Parallel.h"

using namespace quickstep;

namespace {
constexpr int64_t kMostPanels = 24;

int64_t slot_floats(int64_t inputs) {
  return kMostPanels * kBlockRows * kPanel + slice_depth(inputs) * kPanel;
}
}  // namespace

QS_SIMD_BEGIN

namespace {

/// Rows first…first+count of the result, for some panels.
void multiply_block(
    const float *in, int64_t first, int64_t count, int64_t inputs, const void *packed, int32_t storage, int64_t outputs, int64_t panel,
    int64_t panels, const qs_epilogue &epilogue, float *out, float *scratch) {
  const int64_t depth = slice_depth(inputs);
  float *sums = scratch, *buffer = scratch + kMostPanels * kBlockRows * kPanel;
  const float *rows[kBlockRows];
  for (int64_t start = 0; start < inputs; start += depth) {
    const int64_t length = std::min(depth, inputs - start);
    for (int64_t r = 0; r < count; ++r) rows[r] = in + (first + r) * inputs + start;
    for (int64_t p = 0; p < panels; ++p) {
      const float *slice = panel_slice(packed, storage, ((panel + p) * inputs + start) * kPanel, length, buffer);
      const Ahead ahead = p + 1 < panels ? slice_ahead(packed, storage, ((panel + p + 1) * inputs + start) * kPanel, length)
                                         : slice_ahead(packed, storage, (panel * inputs + start + length) * kPanel, std::min(depth, inputs - start - length));
      micro_rows(rows, count, length, slice, sums + p * kBlockRows * kPanel, start > 0, ahead);
    }
  }
  const bool gated = epilogue.activation == QS_GEGLU;
  const int64_t width = gated ? outputs / 2 : outputs, column = panel * (gated ? kPanel / 2 : kPanel);
  const int64_t columns = std::min(panels * (gated ? kPanel / 2 : kPanel), width - column);
  for (int64_t r = 0; r < count; ++r) {
    const float *residual = epilogue.residual ? epilogue.residual + (first + r) * width : nullptr;
    if (r + 1 < count) fetch_places(out + (first + r + 1) * width + column, residual ? residual + width + column : nullptr, columns);
    for (int64_t p = 0; p < panels; ++p) {
      finish_row(
          sums + (p * kBlockRows + r) * kPanel, panel + p, outputs, epilogue.bias, epilogue.activation, residual, out + (first + r) * width);
    }
  }
}

}  // namespace

QS_SIMD_END

extern "C" {

int64_t qs_matrix_packed_count(int64_t outputs, int64_t inputs) { return panels_of(outputs) * kPanel * inputs; }

void qs_matrix_pack(const float *weight, int64_t outputs, int64_t inputs, bool paired, int32_t storage, void *packed) {
  pack_panels(weight, outputs, inputs, 1, paired, storage, packed);
}

int64_t qs_matrix_scratch(int64_t inputs) { return slot_floats(inputs) * thread_count() * int64_t(sizeof(float)); }

void qs_matrix_multiply(
    const float *in, int64_t rows, int64_t inputs, const void *packed, int32_t storage, int64_t outputs, const qs_epilogue *epilogue,
    float *out, void *scratch) {
  const int64_t panels = panels_of(outputs), blocks = (rows + kBlockRows - 1) / kBlockRows;
  if (rows == 0) return;
  const int64_t per = panels_per_task(panels, kMostPanels, blocks, thread_count());
  // Blocks of rows of about equal length: a last one of few rows would use the kernel badly.
  const int64_t height = ((rows + blocks - 1) / blocks + kRows - 1) / kRows * kRows;
  parallel(blocks * ((panels + per - 1) / per), [&](int64_t task, int slot) {
    const int64_t first = task % blocks * height, panel = task / blocks * per;
    if (first >= rows) return;
    multiply_block(
        in, first, std::min(height, rows - first), inputs, packed, storage, outputs, panel, std::min(per, panels - panel), *epilogue, out,
        static_cast<float *>(scratch) + slot * slot_floats(inputs));
  });
}

}  // extern "C"
