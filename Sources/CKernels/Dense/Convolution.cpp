#include <algorithm>

#include "MicroKernel.h"
#include "Pack.h"
#include "Parallel.h"

using namespace quickstep;

namespace {

constexpr int64_t kMostPanels = 8;
// Stands for the pixels around the picture.
alignas(64) const float kZeros[kDepth] = {};

/// Fewer channels than this per tap would leave the inner loop too short: the taps of a pixel are then gathered into one row.
constexpr int64_t kFewChannels = 48;

bool gathers(const qs_convolution &s) { return s.inputs < kFewChannels; }
int64_t row_length(const qs_convolution &s) { return gathers(s) ? s.kernel * s.kernel * s.inputs : s.inputs; }

int64_t slot_floats(const qs_convolution &s) {
  const int64_t gathered = gathers(s) ? kBlockRows * row_length(s) : 0;
  return kMostPanels * kBlockRows * kPanel + slice_depth(row_length(s)) * kPanel + gathered;
}

struct Pixel {
  int64_t batch, y, x;
};

Pixel pixel_of(const qs_convolution &s, int64_t index) {
  const int64_t width = qs_convolution_out_width(&s), height = qs_convolution_out_height(&s);
  return {index / (width * height), index / width % height, index % width};
}

Pixel next(const qs_convolution &s, Pixel pixel) {
  if (++pixel.x < qs_convolution_out_width(&s)) return pixel;
  pixel.x = 0;
  if (++pixel.y < qs_convolution_out_height(&s)) return pixel;
  return {pixel.batch + 1, 0, 0};
}

const float *source(const qs_convolution &s, const float *in, const Pixel &pixel, int64_t tap) {
  const int64_t y = pixel.y * s.stride + tap / s.kernel - s.pad_top, x = pixel.x * s.stride + tap % s.kernel - s.pad_left;
  if (y < 0 || x < 0 || y >= s.height || x >= s.width) return nullptr;
  return in + ((pixel.batch * s.height + y) * s.width + x) * s.inputs;
}

}  // namespace

QS_SIMD_BEGIN

namespace {

/// What the taps of a pixel see, `[kernel][kernel][inputs]`, zeros outside the picture.
void gather(const float *in, const qs_convolution &s, const Pixel &pixel, float *to) {
  const int64_t x = pixel.x * s.stride - s.pad_left, length = s.kernel * s.inputs;
  // Taps of a row that are in the picture lie side by side, in memory too.
  const int64_t first = std::clamp<int64_t>(-x, 0, s.kernel), end = std::clamp<int64_t>(s.width - x, first, s.kernel);
  for (int64_t row = 0; row < s.kernel; ++row, to += length) {
    const int64_t y = pixel.y * s.stride + row - s.pad_top;
    if (y < 0 || y >= s.height) {
      std::fill_n(to, length, 0.0f);
      continue;
    }
    std::fill_n(to, first * s.inputs, 0.0f);
    std::copy_n(in + ((pixel.batch * s.height + y) * s.width + x + first) * s.inputs, (end - first) * s.inputs, to + first * s.inputs);
    std::fill(to + end * s.inputs, to + length, 0.0f);
  }
}

/// `count` rows times a slice of a panel, of which the left half is computed alone where the convolution has no outputs to the right of it.
void multiply_panel(
    const qs_convolution &s, int64_t panel, const float *const *rows, int64_t count, int64_t depth, const float *slice, float *sums,
    bool adds, Ahead ahead = {}) {
  if (s.outputs - panel * kPanel > kPanel / 2) {
    micro_rows(rows, count, depth, slice, sums, adds, ahead);
  } else {
    micro_rows_half(rows, count, depth, slice, sums, adds);
  }
}

/// Sums over everything for some pixels and panels; `sums` is [panels][kBlockRows][16].
void convolve_gathered(
    const float *in, const qs_convolution &s, const Pixel *pixels, int64_t count, const void *packed, int32_t storage, int64_t panel,
    int64_t panels, float *sums, float *buffer) {
  const int64_t length = row_length(s), depth = slice_depth(length);
  float *gathered = buffer + depth * kPanel;
  for (int64_t r = 0; r < count; ++r) gather(in, s, pixels[r], gathered + r * length);
  const float *rows[kBlockRows];
  for (int64_t start = 0; start < length; start += depth) {
    const int64_t part = std::min(depth, length - start);
    for (int64_t r = 0; r < count; ++r) rows[r] = gathered + r * length + start;
    for (int64_t p = 0; p < panels; ++p) {
      const float *slice = panel_slice(packed, storage, ((panel + p) * length + start) * kPanel, part, buffer);
      multiply_panel(s, panel + p, rows, count, part, slice, sums + p * kBlockRows * kPanel, start > 0);
    }
  }
}

void convolve_tapwise(
    const float *in, const qs_convolution &s, const Pixel *pixels, int64_t count, const void *packed, int32_t storage, int64_t panel,
    int64_t panels, float *sums, float *buffer) {
  const int64_t depth = slice_depth(s.inputs), taps = s.kernel * s.kernel;
  const float *rows[kBlockRows];
  for (int64_t start = 0; start < s.inputs; start += depth) {
    const int64_t length = std::min(depth, s.inputs - start);
    for (int64_t tap = 0; tap < taps; ++tap) {
      for (int64_t r = 0; r < count; ++r) {
        const float *from = source(s, in, pixels[r], tap);
        rows[r] = from ? from + start : kZeros;
      }
      for (int64_t p = 0; p < panels; ++p) {
        const int64_t index = (((panel + p) * taps + tap) * s.inputs + start) * kPanel;
        const float *slice = panel_slice(packed, storage, index, length, buffer);
        const Ahead ahead = p + 1 < panels ? slice_ahead(packed, storage, index + taps * s.inputs * kPanel, length) : Ahead();
        multiply_panel(s, panel + p, rows, count, length, slice, sums + p * kBlockRows * kPanel, start > 0 || tap > 0, ahead);
      }
    }
  }
}

void convolve_block(
    const float *in, const qs_convolution &s, int64_t first, int64_t count, const void *packed, int32_t storage, int64_t panel,
    int64_t panels, const qs_epilogue &epilogue, float *out, float *scratch) {
  Pixel pixels[kBlockRows];
  pixels[0] = pixel_of(s, first);
  for (int64_t r = 1; r < count; ++r) pixels[r] = next(s, pixels[r - 1]);
  float *sums = scratch, *buffer = scratch + kMostPanels * kBlockRows * kPanel;
  (gathers(s) ? convolve_gathered : convolve_tapwise)(in, s, pixels, count, packed, storage, panel, panels, sums, buffer);
  const int64_t column = panel * kPanel, columns = std::min(panels * kPanel, s.outputs - column);
  for (int64_t r = 0; r < count; ++r) {
    const float *bias = epilogue.bias ? epilogue.bias + pixels[r].batch * epilogue.bias_stride : nullptr;
    const float *residual = epilogue.residual ? epilogue.residual + (first + r) * s.outputs : nullptr;
    if (r + 1 < count) fetch_places(out + (first + r + 1) * s.outputs + column, residual ? residual + s.outputs + column : nullptr, columns);
    for (int64_t p = 0; p < panels; ++p) {
      finish_row(
          sums + (p * kBlockRows + r) * kPanel, panel + p, s.outputs, bias, epilogue.activation, residual, out + (first + r) * s.outputs);
    }
  }
}

}  // namespace

QS_SIMD_END

extern "C" {

int64_t qs_convolution_out_height(const qs_convolution *s) { return (s->height + s->pad_top + s->pad_bottom - s->kernel) / s->stride + 1; }
int64_t qs_convolution_out_width(const qs_convolution *s) { return (s->width + s->pad_left + s->pad_right - s->kernel) / s->stride + 1; }

int64_t qs_convolution_packed_count(const qs_convolution *s) { return panels_of(s->outputs) * kPanel * s->kernel * s->kernel * s->inputs; }

void qs_convolution_pack(const float *weight, const qs_convolution *s, int32_t storage, void *packed) {
  pack_panels(weight, s->outputs, s->inputs, s->kernel * s->kernel, false, storage, packed);
}

int64_t qs_convolution_scratch(const qs_convolution *s) { return slot_floats(*s) * thread_count() * int64_t(sizeof(float)); }

void qs_convolution_direct(
    const float *in, const qs_convolution *s, const void *packed, int32_t storage, const qs_epilogue *epilogue, float *out, void *scratch) {
  const int64_t pixels = s->batch * qs_convolution_out_height(s) * qs_convolution_out_width(s);
  if (pixels == 0) return;
  const int64_t panels = panels_of(s->outputs), blocks = (pixels + kBlockRows - 1) / kBlockRows;
  const int64_t per = panels_per_task(panels, kMostPanels, blocks, thread_count());
  const int64_t height = ((pixels + blocks - 1) / blocks + kRows - 1) / kRows * kRows;
  parallel(blocks * ((panels + per - 1) / per), [&](int64_t task, int slot) {
    const int64_t first = task % blocks * height, panel = task / blocks * per;
    if (first >= pixels) return;
    convolve_block(
        in, *s, first, std::min(height, pixels - first), packed, storage, panel, std::min(per, panels - panel), *epilogue, out,
        static_cast<float *>(scratch) + slot * slot_floats(*s));
  });
}

}  // extern "C"
