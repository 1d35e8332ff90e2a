// Scaling of pictures, as Pillow's Image.resize does it: a filter along the rows, then one along the columns,
// with 8-bit values between.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace cudnn_resnet {

// What each output pixel along one axis needs: `count` pixels of the input from `first` on, by weights of
// fixed point that sum to one. The weights of output pixel i are at i · taps.
struct Filter {
  static constexpr int precision = 22;  // fraction bits of a weight: 255 times one still fits 32 bits
  std::vector<int32_t> first;
  std::vector<int32_t> count;
  std::vector<int32_t> weights;
  size_t taps = 0;

  [[nodiscard]] size_t size() const noexcept { return first.size(); }
};

// Of pictures with three interleaved channels, row after row.
[[nodiscard]] std::vector<uint8_t> resample(const uint8_t* pixels, size_t width, size_t height,
                                            const Filter& columns, const Filter& rows);

}  // namespace cudnn_resnet
