// Top-k on the host.
#pragma once

#include "core/engine.h"

namespace cudnn_resnet {

// The best k of each row of [rows, columns], best first, in the order of ranked.h.
[[nodiscard]] TopK topKOnHost(const float* scores, int64_t rows, int64_t columns, int64_t k);

}  // namespace cudnn_resnet
