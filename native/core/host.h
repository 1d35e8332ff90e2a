// The machine that this runs on.
#pragma once

#include <cstdint>

namespace cudnn_resnet {

// The bytes of its memory, or those of it that the container may use.
[[nodiscard]] uint64_t usableHostMemory();

}  // namespace cudnn_resnet
