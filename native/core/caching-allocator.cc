#include "core/caching-allocator.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string>
#include <utility>

#include "core/error.h"

namespace cudnn_resnet {
namespace {

// Eight sizes per power of two, so that at most an eighth of a block is wasted and blocks still find each
// other.
size_t roundedUp(size_t bytes) {
  constexpr size_t smallest = 512;
  if (bytes <= smallest) {
    return smallest;
  }
  const size_t step = std::max<size_t>(smallest, std::bit_floor(bytes) / 8);
  return (bytes + step - 1) / step * step;
}

}  // namespace

Block::Block(Block&& other) noexcept
    : allocator_(std::move(other.allocator_)),
      pointer_(std::exchange(other.pointer_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)) {}

Block& Block::operator=(Block&& other) noexcept {
  std::swap(allocator_, other.allocator_);
  std::swap(pointer_, other.pointer_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Block::~Block() {
  if (pointer_ != nullptr) {
    allocator_->release(pointer_, bytes_);
  }
}

Block CachingAllocator::allocate(size_t bytes) {
  const size_t size =
      bytes <= SIZE_MAX / 2 ? roundedUp(bytes) : SIZE_MAX;  // rounding up must not wrap around
  void* pointer = nullptr;
  if (const auto found = kept_.find(size); found != kept_.end() && use_->used + size <= use_->limit) {
    pointer = found->second.back();
    found->second.pop_back();
    if (found->second.empty()) {
      kept_.erase(found);
    }
  } else {
    if (size > use_->limit || use_->reserved > use_->limit - size) {
      trim();
    }
    const bool fits = size != SIZE_MAX && size <= use_->limit && use_->reserved <= use_->limit - size;
    pointer = fits ? raw_->allocate(size) : nullptr;
    if (pointer == nullptr && fits) {
      trim();
      pointer = raw_->allocate(size);
    }
    if (pointer == nullptr) {
      throw Error(ErrorCode::OutOfMemory,
                  "no memory for " + std::to_string(bytes) + " bytes: " + std::to_string(use_->used) +
                      " are in use" + (fits ? "" : ", the device's limit is " + std::to_string(use_->limit)) +
                      "; dispose of tensors, take a smaller batch" +
                      (fits ? "" : ", or raise the limit with setMemoryLimit()"));
    }
    use_->reserved += size;
  }
  use_->used += size;
  use_->peak = std::max<size_t>(use_->peak, use_->used);
  return {shared_from_this(), pointer, size};
}

void CachingAllocator::release(void* pointer, size_t bytes) noexcept {
  use_->used -= bytes;
  try {
    kept_[bytes].push_back(pointer);
  } catch (const std::bad_alloc&) {
    raw_->release(pointer, bytes);
    use_->reserved -= bytes;
  }
}

void CachingAllocator::trim() noexcept {
  for (const auto& [bytes, pointers] : kept_) {
    for (void* pointer : pointers) {
      raw_->release(pointer, bytes);
      use_->reserved -= bytes;
    }
  }
  kept_.clear();
}

}  // namespace cudnn_resnet
