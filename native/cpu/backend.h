#pragma once

#include "core/backend.h"

namespace cudnn_resnet::cpu {

// The CPU through oneDNN: always one device.
[[nodiscard]] Backend backend();

}  // namespace cudnn_resnet::cpu
