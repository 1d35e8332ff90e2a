#include "cpu/engine.h"
#include "cpu/parallel.h"

namespace cudnn_resnet::cpu {

void CpuEngine::normalizeImage(const ImageNormalization& normalization, Tensor& pixels, Tensor& y) {
  // A byte has 256 values: each channel's results stand in a table.
  std::array<std::array<float, 256>, 3> table{};
  for (size_t channel = 0; channel < 3; ++channel) {
    for (size_t value = 0; value < 256; ++value) {
      table[channel][value] =
          static_cast<float>((static_cast<double>(value) / 255 - normalization.mean[channel]) /
                             normalization.deviation[channel]);
    }
  }

  Buffer result = allocate(plain(y.shape, DType::Float32));
  const auto* from = elementsOf<const uint8_t>(pixels);
  auto* to = static_cast<float*>(result.block.get());
  const int64_t height = y.shape[2];
  const int64_t width = y.shape[3];
  const int64_t plane = height * width;
  const int64_t rows = y.shape[0] * height;
  perform([=] {
    requireRoomForTeam();
#pragma omp parallel for
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t image = row / height;
      const int64_t first = image * 3 * plane + (row % height) * width;
      for (int64_t column = 0; column < width; ++column) {
        for (int64_t channel = 0; channel < 3; ++channel) {
          to[first + channel * plane + column] =
              table[static_cast<size_t>(channel)][from[(row * width + column) * 3 + channel]];
        }
      }
    }
  });

  store(std::move(result), y);
}

}  // namespace cudnn_resnet::cpu
