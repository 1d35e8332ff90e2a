#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "core/dtype.h"

namespace cudnn_resnet::kernels {

// Over each of `rows` rows of `columns` elements that lie side by side; in float32, rounded once.
void softmax(const void* x, void* y, int64_t rows, int64_t columns, DType dtype, cudaStream_t stream);

}  // namespace cudnn_resnet::kernels
