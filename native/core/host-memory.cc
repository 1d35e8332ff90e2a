#include "core/host-memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

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

void HostMemory::release(void* pointer, size_t bytes) noexcept {
  if (bytes >= leastMapped) {
    munmap(pointer, bytes);
  } else {
    std::free(pointer);
  }
}

}  // namespace cudnn_resnet
