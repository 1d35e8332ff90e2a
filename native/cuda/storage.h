// How this engine keeps a tensor.
#pragma once

#include <utility>

#include "core/caching-allocator.h"
#include "core/tensor.h"
#include "cuda/layout.h"

namespace cudnn_resnet::cuda {

class CudaStorage : public Storage {
 public:
  CudaStorage(Block block, Layout layout) noexcept : block_(std::move(block)), layout_(layout) {}

  [[nodiscard]] void* data() const noexcept { return block_.get(); }
  [[nodiscard]] const Layout& layout() const noexcept { return layout_; }

  void replace(Block block, Layout layout) noexcept {
    block_ = std::move(block);
    layout_ = layout;
    moved();
  }

  // The values in float32, for a bias of 16 bits: made once, not at every call.
  Block float32;

 private:
  Block block_;
  Layout layout_;
};

}  // namespace cudnn_resnet::cuda
