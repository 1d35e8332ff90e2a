#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "core/dtype.h"

namespace cudnn_resnet::kernels {

// The work is k passes over a row: right for any k, but for a large one sorting on the host is faster.
constexpr int64_t largestTopK = 128;

// The best k of each row of [rows, columns], best first, in the order of core/ranked.h.
struct TopK {
  const void* x;
  int64_t rows, columns, k;
  int64_t* indices;  // rows × k
  float* values;
};
void topK(const TopK& arguments, DType dtype, cudaStream_t stream);

}  // namespace cudnn_resnet::kernels
