// When 3×3 convolutions of float32 use Winograd's transform, which computes fewer products and reads larger
// weights.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cpu/onednn.h"

namespace cudnn_resnet::cpu {

// Whether it pays for results of so many pixels: of few, much of a tile lies beyond the edge, and with few
// channels the transforms of the values take longer than is saved.
[[nodiscard]] constexpr bool winsWithWinograd(int64_t height, int64_t width, int64_t inChannels,
                                              int64_t outChannels) {
  const bool manyChannels = inChannels * outChannels >= int64_t{128} * 128;
  const int64_t fewestPixels = manyChannels ? 6 * 6 : 12 * 12;
  return height * width >= fewestPixels;
}

// How many images of a batch to transform at a time. Where there are enough, oneDNN takes tiles of 4×4 pixels
// in the place of 2×2: that is faster with few channels, whose weights stay small. With many the weights grow
// to four times their size in the place of 16 / 9, and what is transformed leaves the caches.
[[nodiscard]] constexpr int64_t imagesToTransform(int64_t batch, int64_t inChannels, int64_t outChannels) {
  constexpr int64_t most = int64_t{2} * 128 * 128;
  return std::clamp<int64_t>(most / (inChannels * outChannels), 1, batch);
}

// Whether this oneDNN has Winograd's transform for this processor: of the 3.x, none has it for AVX-512.
[[nodiscard]] bool findsWinograd(const dnnl::engine& engine);

// Whether `layout` is one of weights that transformWeights writes, in a tenth of the time that oneDNN takes.
[[nodiscard]] bool knowsWeights(const Layout& layout);

// Writes weights [out, in, 3, 3] in C order as oneDNN's convolution reads them transformed.
void transformWeights(const float* weights, const Layout& layout, float* to);

}  // namespace cudnn_resnet::cpu
