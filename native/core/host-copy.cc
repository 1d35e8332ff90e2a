#include "core/host-copy.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

namespace cudnn_resnet {
namespace {

// What is larger the C library maps anew each time, and the system clears it page by page when it is first
// written: on a virtual machine that takes several times as long as the copy. Of huge pages there are few.
[[maybe_unused]] constexpr size_t leastForHugePages = size_t{32} << 20U;
[[maybe_unused]] constexpr size_t hugePage = size_t{2} << 20U;

void* allocate(size_t bytes) {
#ifdef MADV_HUGEPAGE
  if (bytes >= leastForHugePages) {
    const size_t whole = (bytes + hugePage - 1) / hugePage * hugePage;
    void* const memory = std::aligned_alloc(hugePage, whole);
    if (memory != nullptr) {
      madvise(memory, whole, MADV_HUGEPAGE);  // the system may decline
    }
    return memory;
  }
#endif
  return std::malloc(std::max<size_t>(bytes, 1));
}

}  // namespace

std::shared_ptr<const std::byte> hostCopy(const void* from, size_t bytes) {
  std::shared_ptr<std::byte> copy(static_cast<std::byte*>(allocate(bytes)), std::free);
  if (!copy) {
    throw std::bad_alloc();
  }
  std::memcpy(copy.get(), from, bytes);
  return copy;
}

}  // namespace cudnn_resnet
