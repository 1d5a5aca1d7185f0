#include "Pack.h"

#include <cmath>
#include <cstring>

#include "../include/CKernelsDense.h"
#include "Parallel.h"

namespace quickstep {
namespace {

/// The nearest bfloat16, ties to even.
uint16_t to_bfloat16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  if (std::isnan(value)) return uint16_t(bits >> 16) | 0x40;
  return uint16_t((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

uint16_t to_float16(float value) {
  const _Float16 half = static_cast<_Float16>(value);
  uint16_t bits;
  std::memcpy(&bits, &half, sizeof bits);
  return bits;
}

void put(void *packed, int64_t index, float value, int32_t storage) {
  switch (storage) {
    case QS_BF16: static_cast<uint16_t *>(packed)[index] = to_bfloat16(value); break;
    case QS_F16: static_cast<uint16_t *>(packed)[index] = to_float16(value); break;
    default: static_cast<float *>(packed)[index] = value;
  }
}

/// The row of the weight that lies in a column of a panel; −1 for filling.
int64_t source_row(int64_t panel, int64_t column, int64_t outputs, bool paired) {
  if (!paired) {
    const int64_t row = panel * 16 + column;
    return row < outputs ? row : -1;
  }
  const int64_t half = outputs / 2, row = panel * 8 + column % 8;
  return row >= half ? -1 : column < 8 ? row : half + row;
}

}  // namespace

void pack_panels(
    const float *weight, int64_t outputs, int64_t inputs, int64_t taps, bool paired, int32_t storage, void *packed) {
  parallel((outputs + 15) / 16, [&](int64_t panel, int) {
    const float *rows[16];
    for (int64_t column = 0; column < 16; ++column) {
      const int64_t row = source_row(panel, column, outputs, paired);
      rows[column] = row < 0 ? nullptr : weight + row * inputs * taps;
    }
    int64_t index = panel * taps * inputs * 16;
    for (int64_t tap = 0; tap < taps; ++tap) {
      for (int64_t input = 0; input < inputs; ++input) {
        for (int64_t column = 0; column < 16; ++column, ++index) {
          put(packed, index, rows[column] ? rows[column][input * taps + tap] : 0.0f, storage);
        }
      }
    }
  });
}

}  // namespace quickstep
