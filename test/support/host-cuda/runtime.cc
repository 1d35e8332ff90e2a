// CUDA's runtime as the engine uses it, on the host's memory. The streams stand in streams.cc.
#include <cuda_runtime_api.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

#include "gpu.h"
#include "streams.h"

namespace host_cuda {

Gpu gpu;

namespace {

std::mutex mutex;                // several environments may use the GPU
std::map<void*, size_t> blocks;  // of its memory

// Neither zero nor a number: what was never written shows.
constexpr int poison = 0xff;

cudaError_t allocate(void** pointer, size_t bytes) {
  if (gpu.answer != cudaSuccess) {
    return gpu.answer;
  }
  *pointer = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  if (*pointer == nullptr) {
    return cudaErrorMemoryAllocation;
  }
  std::memset(*pointer, poison, bytes);
  return cudaSuccess;
}

}  // namespace
}  // namespace host_cuda

using host_cuda::gpu;

extern "C" {

cudaError_t cudaMalloc(void** pointer, size_t bytes) {
  const std::scoped_lock lock(host_cuda::mutex);
  ++gpu.allocations;
  if (bytes > gpu.memory || gpu.used > gpu.memory - bytes) {
    return cudaErrorMemoryAllocation;
  }
  const cudaError_t status = host_cuda::allocate(pointer, bytes);
  if (status == cudaSuccess) {
    host_cuda::blocks.emplace(*pointer, bytes);
    gpu.used += bytes;
  }
  return status;
}
cudaError_t cudaMemGetInfo(size_t* available, size_t* total) {
  const std::scoped_lock lock(host_cuda::mutex);
  *available = gpu.memory - gpu.used;
  *total = gpu.memory;
  return gpu.answer;
}
cudaError_t cudaMallocHost(void** pointer, size_t bytes) { return host_cuda::allocate(pointer, bytes); }
cudaError_t cudaFree(void* pointer) {
  const std::scoped_lock lock(host_cuda::mutex);
  if (const auto block = host_cuda::blocks.find(pointer); block != host_cuda::blocks.end()) {
    gpu.used -= block->second;
    host_cuda::blocks.erase(block);
  }
  std::free(pointer);
  return gpu.answer;
}
cudaError_t cudaFreeHost(void* pointer) {
  host_cuda::synchronizeAll();
  std::free(pointer);
  return gpu.answer;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t stream) {
  host_cuda::enqueue(stream, [=] { std::memcpy(to, from, bytes); });
  return gpu.answer;
}
cudaError_t cudaMemsetAsync(void* pointer, int value, size_t bytes, cudaStream_t stream) {
  host_cuda::enqueue(stream, [=] { std::memset(pointer, value, bytes); });
  return gpu.answer;
}
cudaError_t cudaDriverGetVersion(int* version) {
  *version = gpu.driver;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceCount(int* count) {
  *count = gpu.count;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  const int capability = std::getenv("CUDNN_RESNET_NO_BFLOAT16") != nullptr ? 75 : gpu.capability.load();
  *properties = {};
  std::strcpy(properties->name, "the host");
  properties->major = capability / 10;
  properties->minor = capability % 10;
  properties->totalGlobalMem = size_t{1} << 30;
  properties->multiProcessorCount = 1;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
  host_cuda::device = device;
  return gpu.answer;
}
cudaError_t cudaGetLastError(void) {
  const cudaError_t last = host_cuda::takeLastError();
  return gpu.answer != cudaSuccess ? gpu.answer.load() : last;
}
const char* cudaGetErrorString(cudaError_t) { return "an error of the emulation"; }
const char* cudaGetErrorName(cudaError_t) { return "emulated"; }
}
