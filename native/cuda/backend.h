#pragma once

#include "core/backend.h"

namespace cudnn_resnet::cuda {

// NVIDIA's GPUs that this engine can use, and a report of what was found, down to what is missing and how to
// get it. Never throws: a machine without a driver has no devices.
[[nodiscard]] Backend backend() noexcept;

}  // namespace cudnn_resnet::cuda
