// CUDA's and cuDNN's errors as ours.
#pragma once

#include <cuda_runtime_api.h>

namespace cudnn_resnet::cuda {

// Throws Error(OutOfMemory), Error(DeviceLost) where the device will answer every later call with this error,
// or else Error(Backend).
void check(cudaError_t status, const char* what);

// Throws where the device is lost or nearly full: why a library may have failed that does not say so. Ends no
// capture. It asks the driver, as one that has nothing to do (cudaFree(nullptr)) need not.
void checkDevice(const char* what);

}  // namespace cudnn_resnet::cuda
