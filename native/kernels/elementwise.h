// What works element by element: activations, additions, batch norm in inference, and what a convolution does
// to its result where cuDNN has no fused plan. One kernel for every shape, where cuDNN would compile one per
// shape at run time.
#pragma once

#include <cuda_runtime.h>

#include "core/attributes.h"
#include "core/dtype.h"

namespace cudnn_resnet::kernels {

// y[i] = activation(x[i] · scale[c] + shift[c] + add[i]), c = i / sideBySide mod channels; what is nullptr is
// left out.
struct Elementwise {
  const void* x;
  const float* scale;
  const float* shift;
  const void* add;
  void* y;  // may be x or add
  int64_t count;
  int64_t channels;
  int64_t sideBySide;  // values of one channel: 1 in NHWC, a plane in C order
  Activation activation;
};

void elementwise(const Elementwise& arguments, DType dtype, cudaStream_t stream);

}  // namespace cudnn_resnet::kernels
