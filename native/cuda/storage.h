// How this engine keeps a tensor.
#pragma once

#include <map>
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

  // The values were changed in place.
  void changed() noexcept {
    if (!casts.empty()) {
      casts.clear();
      moved();
    }
  }

  // The values in other dtypes, for a bias: each made once, not at every call.
  std::map<DType, Block> casts;

 private:
  Block block_;
  Layout layout_;
};

[[nodiscard]] inline CudaStorage& storageOf(const Tensor& x) { return static_cast<CudaStorage&>(*x.storage); }

// The layout that x is kept in, without padding channels, which do not stay zero under every operation.
[[nodiscard]] inline Layout withoutPadding(const Tensor& x) {
  const Layout layout = storageOf(x).layout();
  return layout.channelsLast ? channelsLast(x.shape) : layout;
}

}  // namespace cudnn_resnet::cuda
