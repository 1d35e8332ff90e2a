#include "cuda/memory.h"

#include <cuda_runtime_api.h>

#include "cuda/error.h"

namespace cudnn_resnet::cuda {

void* DeviceMemory::allocate(size_t bytes) {
  check(cudaSetDevice(device_), "cudaSetDevice");
  void* pointer = nullptr;
  const cudaError_t status = cudaMalloc(&pointer, bytes);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    return nullptr;  // the allocator gives back what it keeps and asks again
  }
  check(status, "cudaMalloc");
  return pointer;
}

void DeviceMemory::release(void* pointer, size_t /*bytes*/) noexcept {
  // At the end of the process CUDA may be gone already; then so is the memory.
  if (cudaSetDevice(device_) == cudaSuccess) {
    cudaStreamSynchronize(stream_->get());
    cudaFree(pointer);
  }
  cudaGetLastError();
}

}  // namespace cudnn_resnet::cuda
