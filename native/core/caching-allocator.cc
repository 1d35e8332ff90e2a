#include "core/caching-allocator.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "core/error.h"
#include "core/exchanged.h"

namespace cudnn_resnet {
namespace {

// Eight sizes per power of two, so that at most an eighth of a block is wasted and blocks still find each
// other.
size_t roundedUp(size_t bytes) {
  if (bytes > SIZE_MAX / 2) {
    return SIZE_MAX;  // it must not wrap around
  }
  constexpr size_t smallest = 512;
  if (bytes <= smallest) {
    return smallest;
  }
  const size_t step = std::max<size_t>(smallest, std::bit_floor(bytes) / 8);
  return (bytes + step - 1) / step * step;
}

// Not again, where it was the first to bring constants into the layouts that its operations ask for.
[[noreturn]] void placedOtherwise() {
  throw Error(ErrorCode::Backend, "a recorded program allocated otherwise than when it was planned");
}

}  // namespace

struct CachingAllocator::Trace {
  std::vector<Lifetime> blocks;
  std::unordered_map<void*, size_t> held;  // which block stands where
  size_t moment = 0;
};

struct CachingAllocator::Placement {
  const std::vector<Lifetime>& traced;
  const ArenaPlan& plan;
  std::byte* arena;
  size_t next = 0;
};

bool poisonsMemory() {
  const char* const value = std::getenv("CUDNN_RESNET_POISON");
  return value != nullptr && std::string_view(value) == "1";
}

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
  if (pointer_ != nullptr && allocator_) {
    allocator_->release(pointer_, bytes_);
  }
}

Block CachingAllocator::tryAllocate(size_t bytes) {
  const size_t size = roundedUp(bytes);
  if (placement_ != nullptr) {
    const size_t block = placement_->next++;
    if (block >= placement_->traced.size() || placement_->traced[block].bytes != size) {
      placedOtherwise();
    }
    std::byte* const place = placement_->arena + placement_->plan.offsets[block];
    if (prepare_) {
      prepare_(place, size);
    }
    return {nullptr, place, size};
  }
  void* pointer = obtain(size);
  if (pointer == nullptr) {
    return {};
  }
  use_->used += size;
  use_->peak = std::max<size_t>(use_->peak, use_->used);
  Block block{shared_from_this(), pointer, size};
  if (trace_ != nullptr) {
    trace_->blocks.push_back({size, trace_->moment++, SIZE_MAX});  // until it is freed
    trace_->held[pointer] = trace_->blocks.size() - 1;
  }
  if (prepare_) {
    prepare_(pointer, size);
  }
  return block;
}

Block CachingAllocator::allocate(size_t bytes) {
  Block block = tryAllocate(bytes);
  if (block.get() == nullptr) {
    trim();
    block = tryAllocate(bytes);
  }
  if (block.get() == nullptr) {
    reclaim();
    block = tryAllocate(bytes);
  }
  if (block.get() == nullptr) {
    const size_t size = roundedUp(bytes);
    const bool limited = size > use_->limit || use_->used > use_->limit - size;
    throw Error(ErrorCode::OutOfMemory,
                "no memory for " + std::to_string(bytes) + " bytes: " + std::to_string(use_->used) +
                    " are in use" +
                    (limited ? ", the device's limit is " + std::to_string(use_->limit) : "") +
                    "; dispose of tensors, take a smaller batch" +
                    (limited ? ", or raise the limit with setMemoryLimit()" : ""));
  }
  return block;
}

void CachingAllocator::reclaim() {
  if (reclaim_) {
    reclaim_();
  }
  trim();
}

// A kept block of this size, or a new one; nullptr where neither can be had.
void* CachingAllocator::obtain(size_t size) {
  const auto found = kept_.find(size);
  if (found != kept_.end() && !found->second.empty() && use_->used + size <= use_->limit) {
    void* pointer = found->second.back();
    found->second.pop_back();
    return pointer;
  }
  if (size == SIZE_MAX || size > use_->limit || use_->reserved > use_->limit - size) {
    return nullptr;
  }
  void* pointer = raw_->allocate(size);
  if (pointer != nullptr) {
    use_->reserved += size;
  }
  return pointer;
}

void CachingAllocator::release(void* pointer, size_t bytes) noexcept {
  use_->used -= bytes;
  if (trace_ != nullptr) {
    if (const auto found = trace_->held.find(pointer); found != trace_->held.end()) {
      trace_->blocks[found->second].last = trace_->moment++;
      trace_->held.erase(found);
    }
  }
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

std::vector<Lifetime> CachingAllocator::trace(const std::function<void()>& work) {
  Trace trace;
  {
    const Exchanged running(trace_, &trace);
    work();
  }
  return std::move(trace.blocks);
}

void CachingAllocator::place(const std::vector<Lifetime>& traced, const ArenaPlan& plan, const Block& arena,
                             const std::function<void()>& work) {
  Placement placement{traced, plan, static_cast<std::byte*>(arena.get())};
  const Exchanged running(placement_, &placement);
  work();
  if (placement.next != traced.size()) {
    placedOtherwise();
  }
}

CachingAllocator::Apart::Apart(CachingAllocator& allocator) noexcept
    : allocator_(allocator),
      trace_(std::exchange(allocator.trace_, nullptr)),
      placement_(std::exchange(allocator.placement_, nullptr)) {}

CachingAllocator::Apart::~Apart() {
  allocator_.trace_ = trace_;
  allocator_.placement_ = placement_;
}

}  // namespace cudnn_resnet
