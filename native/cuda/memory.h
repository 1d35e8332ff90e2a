// Memory of a GPU for the shared CachingAllocator, and pinned memory of the host for copies.
#pragma once

#include <cuda_runtime_api.h>

#include <array>
#include <cstddef>

#include "core/caching-allocator.h"

namespace cudnn_resnet::cuda {

// All work of an engine is in one stream: a block that is given back and taken again is used in the order of
// the stream, and giving one back to CUDA waits for the device.
class DeviceMemory : public RawMemory {
 public:
  explicit DeviceMemory(int device) noexcept : device_(device) {}
  void* allocate(size_t bytes) override;
  void release(void* pointer, size_t bytes) noexcept override;

 private:
  int device_;
};

// Copies between the host's memory and the device's through pinned buffers: what CUDA does by itself for
// memory that is not pinned waits for the whole stream first.
class Staging {
 public:
  explicit Staging(cudaStream_t stream) noexcept : stream_(stream) {}
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  ~Staging();

  // `from` has been read when this returns; `to` is written in the order of the stream.
  void upload(const void* from, void* to, size_t bytes);
  // `to` has been written when this returns.
  void download(const void* from, void* to, size_t bytes);

 private:
  struct Buffer {
    void* memory = nullptr;
    cudaEvent_t done = nullptr;  // the last copy from or to it has ended
  };
  Buffer& next();

  static constexpr size_t bufferBytes = size_t{4} << 20U;
  cudaStream_t stream_;
  std::array<Buffer, 2> buffers_{};
  size_t turn_ = 0;
};

}  // namespace cudnn_resnet::cuda
