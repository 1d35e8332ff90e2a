#include "core/resample.h"

#include <algorithm>

namespace cudnn_resnet {
namespace {

constexpr size_t channels = 3;
constexpr int32_t half = int32_t{1} << (Filter::precision - 1);

uint8_t rounded(int32_t sum) { return static_cast<uint8_t>(sum >> Filter::precision); }

void narrowRow(const uint8_t* row, const Filter& filter, uint8_t* output) {
  for (size_t i = 0; i < filter.size(); ++i) {
    const uint8_t* pixel = row + static_cast<size_t>(filter.first[i]) * channels;
    const int32_t* weight = filter.weights.data() + i * filter.taps;
    int32_t red = half;
    int32_t green = half;
    int32_t blue = half;
    for (int32_t t = 0; t < filter.count[i]; ++t, pixel += channels) {
      red += pixel[0] * weight[t];
      green += pixel[1] * weight[t];
      blue += pixel[2] * weight[t];
    }
    *output++ = rounded(red);
    *output++ = rounded(green);
    *output++ = rounded(blue);
  }
}

}  // namespace

std::vector<uint8_t> resample(const uint8_t* pixels, size_t width, size_t height, const Filter& columns,
                              const Filter& rows) {
  const size_t stride = columns.size() * channels;
  std::vector<uint8_t> narrow(height * stride);
  for (size_t y = 0; y < height; ++y) {
    narrowRow(pixels + y * width * channels, columns, narrow.data() + y * stride);
  }
  std::vector<uint8_t> output(rows.size() * stride);
  std::vector<int32_t> sums(stride);
  for (size_t y = 0; y < rows.size(); ++y) {
    std::ranges::fill(sums, half);
    for (int32_t t = 0; t < rows.count[y]; ++t) {
      const int32_t weight = rows.weights[y * rows.taps + static_cast<size_t>(t)];
      const uint8_t* line = narrow.data() + static_cast<size_t>(rows.first[y] + t) * stride;
      for (size_t x = 0; x < stride; ++x) {
        sums[x] += line[x] * weight;
      }
    }
    std::ranges::transform(sums, output.begin() + static_cast<std::ptrdiff_t>(y * stride), rounded);
  }
  return output;
}

}  // namespace cudnn_resnet
