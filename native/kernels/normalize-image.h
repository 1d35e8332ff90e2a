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
  float mean[3];
  float deviation[3];
};
void normalizeImage(const NormalizeImage& arguments, DType dtype, cudaStream_t stream);

}  // namespace cudnn_resnet::kernels
