// Keeps freed blocks for the next tensor of about the same size: asking the system or CUDA for memory costs
// more than many of the operations that need it. Both engines use it, each with its own RawMemory.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "core/arena-planner.h"
#include "core/error.h"

namespace cudnn_resnet {

// Whether engines fill each block that they are handed out with `poison`: bytes that are NaN in every dtype
// of floats, so that what is read before it is written shows. Tests have it so, by CUDNN_RESNET_POISON=1.
[[nodiscard]] bool poisonsMemory();
constexpr int poison = 0xff;

// Where blocks come from.
class RawMemory {
 public:
  RawMemory() = default;
  RawMemory(const RawMemory&) = delete;
  RawMemory& operator=(const RawMemory&) = delete;
  virtual ~RawMemory() = default;

  virtual void* allocate(size_t bytes) = 0;  // nullptr where there is none
  virtual void release(void* pointer, size_t bytes) noexcept = 0;
};

// What any thread may read of an allocator, in bytes.
struct MemoryUse {
  std::atomic<size_t> used{0};      // in blocks that are held
  std::atomic<size_t> peak{0};      // the most that `used` has been
  std::atomic<size_t> reserved{0};  // in all blocks, those kept for reuse included
  std::atomic<size_t> limit{SIZE_MAX};
};

class CachingAllocator;

// A block of memory, given back to its allocator at the end; one without an allocator is a view of memory
// that something else holds.
class Block {
 public:
  Block() = default;
  Block(std::shared_ptr<CachingAllocator> allocator, void* pointer, size_t bytes) noexcept
      : allocator_(std::move(allocator)), pointer_(pointer), bytes_(bytes) {}
  Block(Block&& other) noexcept;
  Block& operator=(Block&& other) noexcept;
  ~Block();

  [[nodiscard]] void* get() const noexcept { return pointer_; }
  [[nodiscard]] size_t bytes() const noexcept { return bytes_; }

 private:
  std::shared_ptr<CachingAllocator> allocator_;
  void* pointer_ = nullptr;
  size_t bytes_ = 0;
};

// Not for several threads at once: the queue's thread, and after its end the thread that takes the
// environment down.
class CachingAllocator : public std::enable_shared_from_this<CachingAllocator> {
  struct Trace;
  struct Placement;

 public:
  CachingAllocator(std::unique_ptr<RawMemory> raw, std::shared_ptr<MemoryUse> use)
      : raw_(std::move(raw)), use_(std::move(use)) {}
  CachingAllocator(const CachingAllocator&) = delete;
  CachingAllocator& operator=(const CachingAllocator&) = delete;
  ~CachingAllocator() { trim(); }

  // Throws Error(OutOfMemory) where neither a kept block, nor the raw memory, nor the limit allows it.
  [[nodiscard]] Block allocate(size_t bytes);

  // As allocate(), for what can be done without: gives nothing back for it, and an empty block where there is
  // no room.
  [[nodiscard]] Block tryAllocate(size_t bytes);

  // Runs `work`, which takes memory of others than this. Where there is none it is run once more, after all
  // has been given back that can be; but not while blocks are placed, as what is captured bears no giving
  // back.
  template <typename Work>
  auto withRoom(const Work& work) {
    try {
      return work();
    } catch (const Error& error) {
      if (error.code() != ErrorCode::OutOfMemory || placement_ != nullptr) {
        throw;
      }
    }
    reclaim();
    return work();
  }

  // Gives every block that is not in use back.
  void trim() noexcept;

  // Called before an allocation fails: it may free blocks.
  void onShortage(std::function<void()> reclaim) { reclaim_ = std::move(reclaim); }

  // Called with each block before it is handed out.
  void onAllocation(std::function<void(void* pointer, size_t bytes)> prepare) {
    prepare_ = std::move(prepare);
  }

  // Runs `work` and says what it allocated, in order, and how long it held each block.
  [[nodiscard]] std::vector<Lifetime> trace(const std::function<void()>& work);

  // Runs `work`, which allocates as it did when it was traced: each block is a view of its place in `arena`.
  void place(const std::vector<Lifetime>& traced, const ArenaPlan& plan, const Block& arena,
             const std::function<void()>& work);

  // While it lives, blocks are neither traced nor placed: for what stays behind when the work is done.
  class Apart {
   public:
    explicit Apart(CachingAllocator& allocator) noexcept;
    Apart(const Apart&) = delete;
    Apart& operator=(const Apart&) = delete;
    ~Apart();

   private:
    CachingAllocator& allocator_;
    Trace* trace_;
    Placement* placement_;
  };

 private:
  friend class Block;
  [[nodiscard]] void* obtain(size_t size);
  void reclaim();
  void release(void* pointer, size_t bytes) noexcept;

  std::unique_ptr<RawMemory> raw_;
  std::shared_ptr<MemoryUse> use_;
  std::map<size_t, std::vector<void*>> kept_;  // by size
  std::function<void()> reclaim_;
  std::function<void(void* pointer, size_t bytes)> prepare_;
  Trace* trace_ = nullptr;          // while trace() runs
  Placement* placement_ = nullptr;  // while place() runs
};

}  // namespace cudnn_resnet
