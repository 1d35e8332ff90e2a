// Memory of the host, for the allocator of the CPU's engine and for what waits to be uploaded.
#pragma once

#include <cstddef>

#include "core/caching-allocator.h"

namespace cudnn_resnet {

class HostMemory : public RawMemory {
 public:
  void* allocate(size_t bytes) override;
  void release(void* pointer, size_t bytes) noexcept override;
};

// So many bytes of it, which hold anything at first.
class HostBuffer {
 public:
  explicit HostBuffer(size_t bytes);  // throws std::bad_alloc, also where the system has no more to spare
  HostBuffer(const HostBuffer&) = delete;
  HostBuffer& operator=(const HostBuffer&) = delete;
  ~HostBuffer();

  [[nodiscard]] std::byte* get() const noexcept { return memory_; }

 private:
  size_t bytes_;
  std::byte* memory_;
};

}  // namespace cudnn_resnet
