#include "core/host-memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>

#include "core/host.h"

namespace cudnn_resnet {
namespace {

// Cache lines and AVX-512 registers are 64 bytes wide.
constexpr size_t alignment = 64;

// From here on a block is mapped by itself, and its pages go back to the system with it: the C library keeps
// the pages of what is freed between blocks that are held.
constexpr size_t leastMapped = size_t{1} << 20U;

// From here on a block lies in huge pages, where the system has them: an arena is read and written all over
// at each run, and each page of it wants an entry in the processor's tables. Weights are smaller. They are
// touched once at the start, when huge pages may have to be fetched first: from a virtual machine's host
// above all.
constexpr size_t hugePage = size_t{2} << 20U;
constexpr size_t leastForHugePages = 8 * hugePage;

// The most that is taken before the system is asked again what it has left: to clear that takes many times as
// long. Where little is left it is asked earlier.
constexpr uint64_t mostUnasked = uint64_t{16} << 20U;
constexpr uint64_t shareUnasked = 4;

// Whether the system has so much: it promises memory that it does not have, and ends the process that takes
// it.
bool isThere(size_t bytes) {
  static std::atomic<int64_t> unasked{0};
  if (std::cmp_less_equal(bytes, unasked.load()) &&
      unasked.fetch_sub(static_cast<int64_t>(bytes)) >= static_cast<int64_t>(bytes)) {
    return true;
  }
  const uint64_t spare = spareHostMemory();
  const bool enough = bytes <= spare;
  unasked = enough ? static_cast<int64_t>(std::min(mostUnasked, (spare - bytes) / shareUnasked)) : 0;
  return enough;
}

std::byte* map(size_t bytes) {
  void* const mapped = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return mapped == MAP_FAILED ? nullptr : static_cast<std::byte*>(mapped);
}

#ifdef MADV_HUGEPAGE
// Begins where a huge page can.
std::byte* mapInHugePages(size_t size) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t bytes = (size + page - 1) / page * page;  // munmap() wants its start at a page
  std::byte* const mapped = map(bytes + hugePage);
  if (mapped == nullptr) {
    return nullptr;
  }
  const size_t before = (hugePage - reinterpret_cast<uintptr_t>(mapped) % hugePage) % hugePage;
  if (before > 0) {
    munmap(mapped, before);
  }
  munmap(mapped + before + bytes, hugePage - before);
  madvise(mapped + before, bytes, MADV_HUGEPAGE);  // the system may decline
  return mapped + before;
}
#endif

}  // namespace

void* HostMemory::allocate(size_t bytes) {
  if (!isThere(bytes)) {
    return nullptr;
  }
#ifdef MADV_HUGEPAGE
  if (bytes >= leastForHugePages) {
    return mapInHugePages(bytes);
  }
#endif
  if (bytes >= leastMapped) {
    return map(bytes);
  }
  void* pointer = nullptr;
  return posix_memalign(&pointer, alignment, bytes) == 0 ? pointer : nullptr;
}

HostBuffer::HostBuffer(size_t bytes)
    : bytes_(bytes), memory_(static_cast<std::byte*>(HostMemory().allocate(bytes))) {
  if (memory_ == nullptr) {
    throw std::bad_alloc();
  }
}

HostBuffer::~HostBuffer() { HostMemory().release(memory_, bytes_); }

void HostMemory::release(void* pointer, size_t bytes) noexcept {
  if (bytes >= leastMapped) {
    munmap(pointer, bytes);
  } else {
    std::free(pointer);
  }
}

}  // namespace cudnn_resnet
