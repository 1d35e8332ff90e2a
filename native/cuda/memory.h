// Memory of a GPU for the shared CachingAllocator.
#pragma once

#include <cstddef>

#include "core/caching-allocator.h"

namespace cudnn_resnet::cuda {

// What an engine computes is in one stream: a block that is given back and taken again is used in the order
// of that stream, and giving one back to CUDA waits for the device.
class DeviceMemory : public RawMemory {
 public:
  explicit DeviceMemory(int device) noexcept : device_(device) {}
  void* allocate(size_t bytes) override;
  void release(void* pointer, size_t bytes) noexcept override;

 private:
  int device_;
};

}  // namespace cudnn_resnet::cuda
