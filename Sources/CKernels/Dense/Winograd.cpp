#include <algorithm>

#include "MicroKernel.h"
#include "Parallel.h"
#include "WinogradTransforms.h"

using namespace quickstep;

namespace {

/// Floats of transformed inputs that are made at a time: they should stay in the last-level cache until they are used.
constexpr int64_t kMostInputs = 4 << 20;
/// Tiles, panels and channels of one task. Transformed kernels of that many channels and the sums of that many tiles stay in the second-level
/// cache; each transformed input that is fetched is used for 16 outputs per panel.
constexpr int64_t kTaskTiles = 96, kTaskPanels = 4, kTaskChannels = 64;
/// Rows of a buffer that are read side by side must not lie at multiples of a page from each other: all would fall into the same cache set.
constexpr int64_t kApart = 16;

/// Sizes and buffers of one convolution by F(tile×tile, 3×3).
struct Plan {
  const qs_convolution &shape;
  int64_t tile, points, tiles_x, tiles_y, tiles, batch_tiles;
  int64_t input_stride, kernel_stride, product_stride;
  int64_t task_tiles, task_panels, task_channels, channel_blocks;

  Plan(const qs_convolution &s, int64_t tile) : shape(s), tile(tile), points((tile + 2) * (tile + 2)) {
    tiles_x = (qs_convolution_out_width(&s) + tile - 1) / tile;
    tiles_y = (qs_convolution_out_height(&s) + tile - 1) / tile;
    tiles = s.batch * tiles_x * tiles_y;
    task_tiles = kTaskTiles;
    task_panels = std::min(kTaskPanels, panels_of(s.outputs));
    task_channels = kTaskChannels;
    const int64_t fitting = kMostInputs / (points * s.inputs) / task_tiles * task_tiles;
    batch_tiles = std::min(tiles, std::max(task_tiles, fitting));
    channel_blocks = (s.inputs + task_channels - 1) / task_channels;
    input_stride = batch_tiles * channel_blocks * task_channels + kApart;
    kernel_stride = task_channels * kPanel + kApart;
    product_stride = task_panels * task_tiles * kPanel + kApart;
  }
  /// Where a tile's channel lies in every point's part: `[channel blocks][tiles][channels of a block]`, so that a task reads straight on.
  int64_t input_place(int64_t tile, int64_t channel) const {
    return (channel / task_channels * batch_tiles + tile) * task_channels + channel % task_channels;
  }
  int64_t input_floats() const { return points * input_stride; }
  int64_t slot_floats() const { return points * (task_panels * kernel_stride + product_stride); }
};

alignas(64) const float kZeros[8] = {};

}  // namespace

QS_SIMD_BEGIN

namespace {

struct Corner {
  int64_t batch, y, x;
};

QS_INLINE Corner corner_of(const Plan &plan, int64_t index) {
  return {index / (plan.tiles_x * plan.tiles_y), index / plan.tiles_x % plan.tiles_y * plan.tile, index % plan.tiles_x * plan.tile};
}

/// Bᵀ·d·B for one tile and all channels, into row `row` of every point.
template <int tile>
void transform_input(const Plan &plan, const float *in, int64_t index, int64_t row, float *inputs) {
  constexpr int side = tile + 2;
  const qs_convolution &s = plan.shape;
  const Corner corner = corner_of(plan, index);
  const float *pixels[side * side];
  int64_t advance[side * side];
  for (int i = 0; i < side * side; ++i) {
    const int64_t y = corner.y + i / side - s.pad_top, x = corner.x + i % side - s.pad_left;
    const bool inside = y >= 0 && x >= 0 && y < s.height && x < s.width;
    pixels[i] = inside ? in + ((corner.batch * s.height + y) * s.width + x) * s.inputs : kZeros;
    advance[i] = inside ? 1 : 0;
  }
  for (int64_t c = 0; c < s.inputs; c += 8) {
    float *out = inputs + plan.input_place(row, c);
    F8 half[side][side], column[side], moved[side];
    for (int x = 0; x < side; ++x) {
      for (int y = 0; y < side; ++y) column[y] = load(pixels[y * side + x] + c * advance[y * side + x]);
      Winograd<tile>::input(column, moved);
      for (int y = 0; y < side; ++y) half[y][x] = moved[y];
    }
    for (int y = 0; y < side; ++y) {
      Winograd<tile>::input(half[y], moved);
      for (int x = 0; x < side; ++x) store(out + (y * side + x) * plan.input_stride, moved[x]);
    }
  }
}

/// G·g·Gᵀ for some channels of one panel, into `[points][channels][16]`.
template <int tile, int storage>
void transform_kernel(const Plan &plan, const void *packed, int64_t panel, int64_t start, int64_t channels, float *kernels) {
  constexpr int side = tile + 2;
  const int64_t inputs = plan.shape.inputs;
  for (int64_t i = 0; i < channels * kPanel; i += 8) {
    F8 half[side][3], column[3], moved[side];
    for (int x = 0; x < 3; ++x) {
      for (int y = 0; y < 3; ++y) {
        column[y] = load_weights<storage>(packed, ((panel * 9 + y * 3 + x) * inputs + start) * kPanel + i);
      }
      Winograd<tile>::kernel(column, moved);
      for (int y = 0; y < side; ++y) half[y][x] = moved[y];
    }
    for (int y = 0; y < side; ++y) {
      Winograd<tile>::kernel(half[y], moved);
      for (int x = 0; x < side; ++x) store(kernels + (y * side + x) * plan.kernel_stride + i, moved[x]);
    }
  }
}

template <int tile>
void transform_kernel(
    const Plan &plan, const void *packed, int32_t storage, int64_t panel, int64_t start, int64_t channels, float *kernels) {
  switch (storage) {
    case QS_BF16: transform_kernel<tile, QS_BF16>(plan, packed, panel, start, channels, kernels); break;
    case QS_F16: transform_kernel<tile, QS_F16>(plan, packed, panel, start, channels, kernels); break;
    default: transform_kernel<tile, QS_F32>(plan, packed, panel, start, channels, kernels);
  }
}

/// Aᵀ·m·A for one tile and one panel, with what follows a convolution.
template <int tile>
void transform_output(
    const Plan &plan, const float *products, int64_t index, int64_t panel, const qs_epilogue &epilogue, float *out) {
  constexpr int side = tile + 2;
  const qs_convolution &s = plan.shape;
  const Corner corner = corner_of(plan, index);
  const int64_t height = qs_convolution_out_height(&s), width = qs_convolution_out_width(&s);
  const int64_t rows = std::min<int64_t>(tile, height - corner.y), columns = std::min<int64_t>(tile, width - corner.x);
  const float *bias = epilogue.bias ? epilogue.bias + corner.batch * epilogue.bias_stride : nullptr;
  for (int64_t y = 0; y < rows; ++y) {
    for (int64_t x = 0; x < columns; ++x) {
      const int64_t place = ((corner.batch * height + corner.y + y) * width + corner.x + x) * s.outputs + panel * kPanel;
      fetch_places(out + place, epilogue.residual ? epilogue.residual + place : nullptr, std::min(kPanel, s.outputs - panel * kPanel));
    }
  }
  for (int part = 0; part < 2; ++part) {
    const int64_t channel = panel * kPanel + part * 8, count = s.outputs - channel;
    if (count <= 0) return;
    F8 half[tile][side], column[side], result[tile];
    for (int x = 0; x < side; ++x) {
      for (int y = 0; y < side; ++y) column[y] = load(products + (y * side + x) * plan.product_stride + part * 8);
      Winograd<tile>::output(column, result);
      for (int y = 0; y < tile; ++y) half[y][x] = result[y];
    }
    for (int64_t y = 0; y < rows; ++y) {
      Winograd<tile>::output(half[y], result);
      for (int64_t x = 0; x < columns; ++x) {
        const int64_t place = ((corner.batch * height + corner.y + y) * width + corner.x + x) * s.outputs;
        finish8(result[x], channel, count, bias, epilogue.activation, epilogue.residual ? epilogue.residual + place : nullptr, out + place);
      }
    }
  }
}

/// Some panels of the outputs of the tiles first + block…, `length` of them, whose transformed inputs are at hand from `first` on.
template <int tile>
void convolve_task(
    const Plan &plan, const float *inputs, int64_t first, int64_t block, int64_t length, const void *packed, int32_t storage, int64_t panel,
    int64_t panels, const qs_epilogue &epilogue, float *out, float *scratch) {
  const qs_convolution &s = plan.shape;
  float *kernels = scratch, *products = scratch + plan.points * plan.task_panels * plan.kernel_stride;
  const int64_t all_points = plan.points * plan.kernel_stride;
  const float *rows[kBlockRows];
  for (int64_t start = 0; start < s.inputs; start += plan.task_channels) {
    const int64_t channels = std::min(plan.task_channels, s.inputs - start);
    for (int64_t p = 0; p < panels; ++p) {
      transform_kernel<tile>(plan, packed, storage, panel + p, start, channels, kernels + p * all_points);
    }
    for (int64_t point = 0; point < plan.points; ++point) {
      for (int64_t r = 0; r < length; ++r) rows[r] = inputs + point * plan.input_stride + plan.input_place(block + r, start);
      for (int64_t p = 0; p < panels; ++p) {
        micro_rows(
            rows, length, channels, kernels + p * all_points + point * plan.kernel_stride,
            products + point * plan.product_stride + p * plan.task_tiles * kPanel, start > 0);
      }
    }
  }
  for (int64_t r = 0; r < length; ++r) {
    for (int64_t p = 0; p < panels; ++p) {
      transform_output<tile>(plan, products + (p * plan.task_tiles + r) * kPanel, first + block + r, panel + p, epilogue, out);
    }
  }
}

template <int tile>
void convolve(
    const Plan &plan, const float *in, const void *packed, int32_t storage, const qs_epilogue &epilogue, float *out, float *scratch) {
  constexpr int64_t kTilesPerTask = 8;
  float *inputs = scratch;
  const int64_t panels = panels_of(plan.shape.outputs);
  for (int64_t first = 0; first < plan.tiles; first += plan.batch_tiles) {
    const int64_t count = std::min(plan.batch_tiles, plan.tiles - first);
    parallel((count + kTilesPerTask - 1) / kTilesPerTask, [&](int64_t task, int) {
      const int64_t end = std::min(count, (task + 1) * kTilesPerTask);
      for (int64_t t = task * kTilesPerTask; t < end; ++t) transform_input<tile>(plan, in, first + t, t, inputs);
    });
    const int64_t blocks = (count + plan.task_tiles - 1) / plan.task_tiles, groups = (panels + plan.task_panels - 1) / plan.task_panels;
    parallel(blocks * groups, [&](int64_t task, int slot) {
      const int64_t block = task % blocks * plan.task_tiles, panel = task / blocks * plan.task_panels;
      convolve_task<tile>(
          plan, inputs, first, block, std::min(plan.task_tiles, count - block), packed, storage, panel,
          std::min(plan.task_panels, panels - panel), epilogue, out, scratch + plan.input_floats() + slot * plan.slot_floats());
    });
  }
}

}  // namespace

QS_SIMD_END

extern "C" {

bool qs_winograd_applies(const qs_convolution *s) { return s->kernel == 3 && s->stride == 1 && s->inputs % 8 == 0; }

int64_t qs_winograd_scratch(const qs_convolution *s, int32_t tile) {
  const Plan plan(*s, tile);
  return (plan.input_floats() + thread_count() * plan.slot_floats()) * int64_t(sizeof(float));
}

void qs_convolution_winograd(
    const float *in, const qs_convolution *s, int32_t tile, const void *packed, int32_t storage, const qs_epilogue *epilogue, float *out,
    void *scratch) {
  const Plan plan(*s, tile);
  if (tile == 2) {
    convolve<2>(plan, in, packed, storage, *epilogue, out, static_cast<float *>(scratch));
  } else {
    convolve<4>(plan, in, packed, storage, *epilogue, out, static_cast<float *>(scratch));
  }
}

}  // extern "C"
