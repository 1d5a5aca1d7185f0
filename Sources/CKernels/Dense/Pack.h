// The order in which prepared weights lie in memory.
#ifndef QUICKSTEP_PACK_H
#define QUICKSTEP_PACK_H

#include <cstdint>

namespace quickstep {

/// Packs a row-major `[outputs, inputs, taps]` weight into `[panels][taps][inputs][16]`, filled up with zeros.
void pack_panels(
    const float *weight, int64_t outputs, int64_t inputs, int64_t taps, bool paired, int32_t storage, void *packed);

}  // namespace quickstep

#endif
