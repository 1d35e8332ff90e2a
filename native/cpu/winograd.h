// When 3×3 convolutions of float32 use Winograd's transform, which computes fewer products and reads larger
// weights.
#pragma once

#include <algorithm>
#include <cstdint>

namespace cudnn_resnet::cpu {

// Whether it pays for results of so many pixels: of 7×7 its weights take longer to transform than a few
// forward passes win.
[[nodiscard]] constexpr bool winsWithWinograd(int64_t height, int64_t width) {
  constexpr int64_t fewestPixels = 144;
  return height * width >= fewestPixels;
}

// How many images of a batch to transform at a time. Where there are enough, oneDNN takes tiles of 4×4 pixels
// in the place of 2×2: that is faster with few channels, whose weights stay small. With many the weights grow
// to four times their size in the place of 16 / 9, and what is transformed leaves the caches.
[[nodiscard]] constexpr int64_t imagesToTransform(int64_t batch, int64_t inChannels, int64_t outChannels) {
  constexpr int64_t most = int64_t{2} * 128 * 128;
  return std::clamp<int64_t>(most / (inChannels * outChannels), 1, batch);
}

}  // namespace cudnn_resnet::cpu
