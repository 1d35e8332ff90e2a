// How the elements of a tensor lie in a GPU's memory.
#pragma once

#include <cstdint>

#include "core/shape.h"

namespace cudnn_resnet::cuda {

// C order, or channels last: NHWC for images, KRSC for weights, with `channels` channels in memory, of which
// those beyond the tensor's own are zeros.
struct Layout {
  bool channelsLast = false;
  int64_t channels = 0;  // 0 in C order

  bool operator==(const Layout&) const = default;
};

inline constexpr Layout plain{};

// The layout of channels last, under one name where it is C order as well.
[[nodiscard]] inline Layout channelsLast(const Shape& shape, int64_t channels) {
  const bool same = channels == shape[1] && (shape[1] == 1 || shape[2] * shape[3] == 1);
  return same ? plain : Layout{true, channels};
}
[[nodiscard]] inline Layout channelsLast(const Shape& shape) { return channelsLast(shape, shape[1]); }

[[nodiscard]] inline int64_t elementsIn(const Layout& layout, const Shape& shape) {
  return layout.channelsLast ? elements(shape) / shape[1] * layout.channels : elements(shape);
}

}  // namespace cudnn_resnet::cuda
