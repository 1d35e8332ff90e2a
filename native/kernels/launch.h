// How kernels are launched: sizes of grids, and the check that each launch was accepted.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace cudnn_resnet::kernels {

constexpr unsigned threadsPerBlock = 256;

// So many blocks, or as many as there may be: the kernels stride over the grid, so that a bound on it costs
// no item.
inline unsigned gridOf(int64_t blocks) {
  constexpr int64_t most = 1 << 16;
  return static_cast<unsigned>(std::clamp<int64_t>(blocks, 1, most));
}

// For `count` items at one per thread.
inline unsigned blocksFor(int64_t count) { return gridOf((count + threadsPerBlock - 1) / threadsPerBlock); }

// Throws what the launch of `kernel` failed with. Does not wait for the kernel.
void checkLaunch(const char* kernel);

inline bool aligned(const void* pointer, size_t bytes) {
  return reinterpret_cast<uintptr_t>(pointer) % bytes == 0;
}

}  // namespace cudnn_resnet::kernels
