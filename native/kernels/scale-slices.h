// A tensor with each slice along its first dimension times a factor, in place.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "core/dtype.h"

namespace cudnn_resnet::kernels {

struct Slices {
  void* values;  // count × size
  const double* factors;
  int64_t count, size;
};
// In float64, and rounded once.
void scaleSlices(const Slices& slices, DType dtype, cudaStream_t stream);

}  // namespace cudnn_resnet::kernels
