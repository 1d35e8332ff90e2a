#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "core/attributes.h"
#include "core/dtype.h"

namespace cudnn_resnet::kernels {

// RGB bytes of `pixels` pixels to (byte / 255 - mean) / deviation, NHWC with `channels` channels in memory:
// three, and zeros behind them.
struct NormalizeImage {
  const uint8_t* bytes;
  void* y;
  int64_t pixels;
  int64_t channels;
  // Kernels cannot call what indexes a std::array.
  float mean[3];       // NOLINT(modernize-avoid-c-arrays)
  float deviation[3];  // NOLINT(modernize-avoid-c-arrays)
};
void normalizeImage(const NormalizeImage& arguments, DType dtype, cudaStream_t stream);

}  // namespace cudnn_resnet::kernels
