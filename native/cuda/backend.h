#pragma once

#include "core/backend.h"

namespace cudnn_resnet::cuda {

// Whether a GPU has arithmetic for bfloat16: Ampere and later. `capability` is 80 for 8.0.
[[nodiscard]] constexpr bool computesBFloat16(int capability) noexcept { return capability >= 80; }

// NVIDIA's GPUs that this engine can use, and a report of what was found, down to what is missing and how to
// get it. Never throws: a machine without a driver has no devices.
[[nodiscard]] Backend backend() noexcept;

}  // namespace cudnn_resnet::cuda
