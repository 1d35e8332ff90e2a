// CUDA's runtime as the engine uses it, on the host's memory: everything has happened when a call returns.
#include <cuda_runtime_api.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

#include "gpu.h"

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

cudaError_t wait() {
  ++gpu.waits;
  return gpu.answer;
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
  std::free(pointer);
  return gpu.answer;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t) {
  std::memcpy(to, from, bytes);
  return gpu.answer;
}
cudaError_t cudaMemsetAsync(void* pointer, int value, size_t bytes, cudaStream_t) {
  std::memset(pointer, value, bytes);
  return gpu.answer;
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = nullptr;
  return gpu.answer;
}
cudaError_t cudaStreamDestroy(cudaStream_t) { return gpu.answer; }
cudaError_t cudaStreamSynchronize(cudaStream_t) { return host_cuda::wait(); }
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = nullptr;
  return gpu.answer;
}
cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, 0); }
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t, cudaEvent_t) {
  *milliseconds = 1;
  return gpu.answer;
}
cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t) { return gpu.answer; }
cudaError_t cudaEventSynchronize(cudaEvent_t) { return host_cuda::wait(); }
cudaError_t cudaEventDestroy(cudaEvent_t) { return gpu.answer; }
cudaError_t cudaStreamBeginCapture(cudaStream_t, cudaStreamCaptureMode) { return gpu.capture; }
cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t*) { return gpu.capture; }
cudaError_t cudaGraphDestroy(cudaGraph_t) { return gpu.answer; }
cudaError_t cudaGraphInstantiate(cudaGraphExec_t*, cudaGraph_t, unsigned long long) { return gpu.answer; }
cudaError_t cudaGraphLaunch(cudaGraphExec_t, cudaStream_t) { return gpu.answer; }
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t) { return gpu.answer; }
cudaError_t cudaSetDevice(int) { return gpu.answer; }
cudaError_t cudaGetLastError(void) { return gpu.answer; }
const char* cudaGetErrorString(cudaError_t) { return "an error of the emulation"; }
const char* cudaGetErrorName(cudaError_t) { return "emulated"; }
}
