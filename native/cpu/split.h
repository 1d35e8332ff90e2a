// A float32 value as the sum of two of bfloat16: its upper bits, and what they leave of it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cudnn_resnet::cpu {

// Whether this processor multiplies bfloat16 in tiles (AMX), and oneDNN has it do so.
[[nodiscard]] bool multipliesInTiles();

// from[i] = high[i] + low[i], but for 2^-17 of it at most. Infinity and NaN are so in `high`, with 0 in
// `low`. With AVX-512, which all processors have that multiply in tiles.
void split(const float* from, uint16_t* high, uint16_t* low, size_t count);

// How many images of a batch to convolve together: what the three products of each go through, so many bytes
// an image, is to stay in the caches.
[[nodiscard]] int64_t imagesTogether(int64_t batch, int64_t bytesPerImage);

}  // namespace cudnn_resnet::cpu
