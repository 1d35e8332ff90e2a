// How this engine keeps a tensor.
#pragma once

#include <optional>
#include <vector>

#include "core/caching-allocator.h"
#include "core/tensor.h"
#include "cpu/onednn.h"

namespace cudnn_resnet::cpu {

// Memory in a layout.
struct Buffer {
  Block block;
  Layout layout;
};

class CpuStorage : public Storage {
 public:
  explicit CpuStorage(Block block) : block_(std::move(block)) {}
  explicit CpuStorage(Buffer buffer) : block_(std::move(buffer.block)), layout_(std::move(buffer.layout)) {}

  [[nodiscard]] void* data() const noexcept { return block_.get(); }

  // The layout that oneDNN knows this memory by; none for the dtypes it does not compute with (float16,
  // uint8, int64), which are kept in C order.
  [[nodiscard]] const std::optional<Layout>& layout() const noexcept { return layout_; }

  // The same values in further layouts that weights were asked for in: made once, not at every call.
  [[nodiscard]] const std::vector<Buffer>& packed() const noexcept { return packed_; }
  void keepPacked(Buffer buffer) {
    constexpr size_t most = 3;
    if (packed_.size() == most) {
      packed_.erase(packed_.begin());
      moved();
    }
    packed_.push_back(std::move(buffer));
  }

  // Gives the memory away; the tensor has none after it.
  [[nodiscard]] Buffer take() { return {std::move(block_), std::move(*layout_)}; }

  void replace(Buffer buffer) {
    block_ = std::move(buffer.block);
    layout_ = std::move(buffer.layout);
    moved();
  }

 private:
  std::vector<Buffer> packed_;
  Block block_;
  std::optional<Layout> layout_;
};

}  // namespace cudnn_resnet::cpu
