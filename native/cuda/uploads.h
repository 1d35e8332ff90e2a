// How values come to the GPU while it computes.
#pragma once

#include <array>
#include <cstddef>
#include <memory>

#include "core/caching-allocator.h"
#include "core/engine.h"
#include "cuda/staging.h"

namespace cudnn_resnet::cuda {

// A tensor's memory may still be in use by what is computed now, and a copy into it would wait for that. So
// values land in memory that only uploads use, and are copied from there in the order of what is computed:
// the input of the next network crosses the bus while this one runs.
class Uploads {
 public:
  Uploads(const Stream& computing, std::shared_ptr<CachingAllocator> allocator)
      : computing_(computing), allocator_(std::move(allocator)) {}

  // All has been read when this returns; `to` is written in the order of the computing stream.
  void upload(const Engine::Reader& read, void* to, size_t bytes);

  // Gives the memory for landing back.
  void trim() noexcept;

 private:
  // Two, so that one is written while the other is read.
  struct Landing {
    Block block;
    Event written;
    Event read;
  };
  // The next one, with room for so many bytes; nullptr where there is no memory to spare for it.
  Landing* next(size_t bytes);

  const Stream& computing_;
  std::shared_ptr<CachingAllocator> allocator_;
  Staging staging_;
  Event computed_;
  std::array<Landing, 2> landings_;
  size_t turn_ = 0;
};

}  // namespace cudnn_resnet::cuda
