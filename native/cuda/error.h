// CUDA's and cuDNN's errors as ours.
#pragma once

#include <cuda_runtime_api.h>

namespace cudnn_resnet::cuda {

// Throws Error(OutOfMemory), Error(DeviceLost) where the device will answer every later call with this error,
// or else Error(Backend).
void check(cudaError_t status, const char* what);

// Whether every later call to the device fails as well.
[[nodiscard]] bool isSticky(cudaError_t status) noexcept;

}  // namespace cudnn_resnet::cuda
