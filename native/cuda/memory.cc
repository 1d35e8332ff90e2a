#include "cuda/memory.h"

#include <algorithm>
#include <cstring>

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
    cudaFree(pointer);
  }
  cudaGetLastError();
}

Staging::~Staging() {
  for (const Buffer& buffer : buffers_) {
    if (buffer.done != nullptr) {
      cudaEventDestroy(buffer.done);
    }
    if (buffer.memory != nullptr) {
      cudaFreeHost(buffer.memory);
    }
  }
  cudaGetLastError();
}

Staging::Buffer& Staging::next() {
  Buffer& buffer = buffers_[turn_];
  turn_ = (turn_ + 1) % buffers_.size();
  if (buffer.memory == nullptr) {
    check(cudaMallocHost(&buffer.memory, bufferBytes), "cudaMallocHost");
  }
  if (buffer.done == nullptr) {
    check(cudaEventCreateWithFlags(&buffer.done, cudaEventDisableTiming), "cudaEventCreate");
  }
  check(cudaEventSynchronize(buffer.done), "cudaEventSynchronize");
  return buffer;
}

void Staging::upload(const void* from, void* to, size_t bytes) {
  for (size_t offset = 0; offset < bytes; offset += bufferBytes) {
    const size_t length = std::min(bufferBytes, bytes - offset);
    Buffer& buffer = next();
    std::memcpy(buffer.memory, static_cast<const std::byte*>(from) + offset, length);
    check(cudaMemcpyAsync(static_cast<std::byte*>(to) + offset, buffer.memory, length, cudaMemcpyHostToDevice,
                          stream_),
          "copying to the GPU");
    check(cudaEventRecord(buffer.done, stream_), "cudaEventRecord");
  }
}

void Staging::download(const void* from, void* to, size_t bytes) {
  // A buffer is emptied while the other is filled.
  struct Pending {
    Buffer* buffer;
    size_t offset, length;
  };
  const auto finish = [to](const Pending& pending) {
    check(cudaEventSynchronize(pending.buffer->done), "copying from the GPU");
    std::memcpy(static_cast<std::byte*>(to) + pending.offset, pending.buffer->memory, pending.length);
  };
  Pending pending{};
  for (size_t offset = 0; offset < bytes; offset += bufferBytes) {
    const size_t length = std::min(bufferBytes, bytes - offset);
    Buffer& buffer = next();
    check(cudaMemcpyAsync(buffer.memory, static_cast<const std::byte*>(from) + offset, length,
                          cudaMemcpyDeviceToHost, stream_),
          "copying from the GPU");
    check(cudaEventRecord(buffer.done, stream_), "cudaEventRecord");
    if (pending.buffer != nullptr) {
      finish(pending);
    }
    pending = {&buffer, offset, length};
  }
  if (pending.buffer != nullptr) {
    finish(pending);
  }
}

}  // namespace cudnn_resnet::cuda
