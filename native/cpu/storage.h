// How this engine keeps a tensor.
#pragma once

#include <algorithm>
#include <memory>
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

// Values that another tensor's stand for: each slice of those along its first dimension times its factor.
struct Scaled {
  std::shared_ptr<const Block> values;  // in C order
  std::vector<double> factors;
};

struct Halves;

class CpuStorage : public Storage {
 public:
  CpuStorage(Block block, std::optional<Layout> layout)
      : block_(std::make_shared<Block>(std::move(block))), layout_(std::move(layout)) {}
  explicit CpuStorage(Buffer buffer) : CpuStorage(std::move(buffer.block), std::move(buffer.layout)) {}
  explicit CpuStorage(Scaled scaled) : scaled_(std::move(scaled)) {}
  ~CpuStorage() override;

  [[nodiscard]] uint64_t revision() const noexcept override;

  // Where this storage has memory for its values: they may still be what `scaled` says.
  [[nodiscard]] void* data() const noexcept { return block_ ? block_->get() : nullptr; }
  [[nodiscard]] const std::optional<Scaled>& scaled() const noexcept { return scaled_; }

  // The layout that oneDNN knows this memory by; none for the dtypes it does not compute with (float16,
  // uint8, int64), which are kept in C order.
  [[nodiscard]] const std::optional<Layout>& layout() const noexcept { return layout_; }

  // Others may read this memory for as long as they hold it: nothing may be written there while it is shared.
  [[nodiscard]] std::shared_ptr<const Block> share() const noexcept { return block_; }
  [[nodiscard]] bool isShared() const noexcept { return block_.use_count() > 1; }

  // The same values in further layouts that weights were asked for in: made once, not at every call. The last
  // few are kept; nullptr where `layout` is none of these.
  [[nodiscard]] std::shared_ptr<const Buffer> packed(const Layout& layout) const {
    const auto found =
        std::ranges::find_if(packed_, [&](const auto& kept) { return kept->layout == layout; });
    return found != packed_.end() ? *found : nullptr;
  }
  void keepPacked(std::shared_ptr<const Buffer> buffer) {
    constexpr size_t most = 3;
    if (packed_.size() == most) {
      packed_.erase(packed_.begin());
    }
    packed_.push_back(std::move(buffer));
  }

  // The same values as halves, where a convolution has asked for them so.
  [[nodiscard]] Halves* halves() const noexcept { return halves_.get(); }
  void keepHalves(std::unique_ptr<Halves> halves) { halves_ = std::move(halves); }

  // The values were written over in place.
  void changed() {
    packed_.clear();
    halves_.reset();
  }

  // Gives memory that is not shared away; the tensor has none after it.
  [[nodiscard]] Buffer take() { return {std::move(*block_), std::move(*layout_)}; }

  // From now on the values stand where those of `other` did, which has none after it.
  void replace(CpuStorage&& other) {
    scaled_.reset();
    block_ = std::move(other.block_);
    layout_ = std::move(other.layout_);
    moved();
  }

 private:
  std::vector<std::shared_ptr<const Buffer>> packed_;
  std::unique_ptr<Halves> halves_;
  std::optional<Scaled> scaled_;
  std::shared_ptr<Block> block_;
  std::optional<Layout> layout_;
};

// A float32 tensor as the sum of two of bfloat16 (cpu/split.h).
struct Halves {
  Halves(const Shape& shape, Buffer inHigh, Buffer inLow)
      : high(shape, DType::BFloat16), low(shape, DType::BFloat16) {
    high.storage = std::make_unique<CpuStorage>(std::move(inHigh));
    low.storage = std::make_unique<CpuStorage>(std::move(inLow));
  }
  Tensor high, low;
};

// Of a tensor that lies in C order.
template <typename T>
T* elementsOf(const Tensor& x) {
  return static_cast<T*>(static_cast<CpuStorage&>(*x.storage).data());
}

inline CpuStorage::~CpuStorage() = default;

inline uint64_t CpuStorage::revision() const noexcept {
  return halves_ ? std::max({Storage::revision(), halves_->high.storage->revision(),
                             halves_->low.storage->revision()})
                 : Storage::revision();
}

}  // namespace cudnn_resnet::cpu
