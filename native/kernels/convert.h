// Copies with another dtype, another order of the elements, or both.
#pragma once

#include <cuda_runtime.h>

#include "core/dtype.h"
#include "kernels/transpose-index.h"

namespace cudnn_resnet::kernels {

// `count` elements in the same order.
void cast(const void* from, DType fromType, void* to, DType toType, int64_t count, cudaStream_t stream);

// Moves elements of `elementBytes` bytes, whatever they stand for.
void transpose(const TransposeIndex& index, const void* from, void* to, size_t elementBytes,
               cudaStream_t stream);

// Rows of `columns` elements to rows of another stride: cuts padding channels off, or adds them as zeros.
struct Rows {
  int64_t rows, columns;
  int64_t sourceStride, targetStride;
};
void copyRows(const Rows& shape, const void* from, void* to, size_t elementBytes, cudaStream_t stream);

}  // namespace cudnn_resnet::kernels
