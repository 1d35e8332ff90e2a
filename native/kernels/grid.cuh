// How work is divided among the threads of a kernel.
#pragma once

#include <cstdint>

namespace cudnn_resnet::kernels {

// Visits every index below `count`, each with one thread of the grid.
template <typename Visit>
__device__ void forEach(int64_t count, Visit visit) {
  const int64_t threads = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += threads) {
    visit(i);
  }
}

}  // namespace cudnn_resnet::kernels
