#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "core/dtype.h"

namespace cudnn_resnet::kernels {

// RGB bytes to (byte / 255 - mean) / deviation: in C order, or channels last, with zeros behind the three
// that make a pixel 16 bytes long.
struct NormalizeImage {
  const uint8_t* bytes;
  void* y;
  int64_t images;
  int64_t pixels;  // of an image
  bool channelsLast;
  // Kernels cannot call what indexes a std::array.
  float mean[3];       // NOLINT(modernize-avoid-c-arrays)
  float deviation[3];  // NOLINT(modernize-avoid-c-arrays)
};
void normalizeImage(const NormalizeImage& arguments, DType dtype, cudaStream_t stream);

}  // namespace cudnn_resnet::kernels
