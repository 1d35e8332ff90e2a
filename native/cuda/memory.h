// Memory of a GPU for the shared CachingAllocator.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include "core/caching-allocator.h"
#include "cuda/stream.h"

namespace cudnn_resnet::cuda {

// What an engine computes is in one stream: a block that is given back and taken again is used in the order
// of that stream, and giving one back to CUDA waits for it: cudaFree need not.
class DeviceMemory : public RawMemory {
 public:
  DeviceMemory(int device, std::shared_ptr<const Stream> stream) noexcept
      : device_(device), stream_(std::move(stream)) {}
  void* allocate(size_t bytes) override;
  void release(void* pointer, size_t bytes) noexcept override;

 private:
  int device_;
  std::shared_ptr<const Stream> stream_;  // what is given back may outlive the engine
};

}  // namespace cudnn_resnet::cuda
