// Pooling of images in NHWC or in C order.
#pragma once

#include <cuda_runtime.h>

#include "core/attributes.h"
#include "core/dtype.h"
#include "kernels/pool-index.h"

namespace cudnn_resnet::kernels {

struct Pool {
  const void* x;
  void* y;
  int64_t batch, channels;
  int64_t outputHeight, outputWidth;
  bool channelsLast;
  WindowIndex rows, columns;
  PoolKind kind;
};

void pool(const Pool& arguments, DType dtype, cudaStream_t stream);

}  // namespace cudnn_resnet::kernels
