// Memory of the host, for the allocator of the CPU's engine and for what waits to be uploaded.
#pragma once

#include "core/caching-allocator.h"

namespace cudnn_resnet {

class HostMemory : public RawMemory {
 public:
  void* allocate(size_t bytes) override;
  void release(void* pointer, size_t bytes) noexcept override;
};

}  // namespace cudnn_resnet
