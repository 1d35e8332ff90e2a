#include "core/host-copy.h"

#include <cstring>
#include <vector>

#include "core/host-memory.h"

namespace cudnn_resnet {
namespace {

// The C library keeps the pages of what is smaller for the next copy. Of what is larger the system clears new
// ones page by page each time, which on a virtual machine takes several times as long as the copy: of huge
// pages there are few.
constexpr size_t leastInHugePages = size_t{32} << 20U;

}  // namespace

std::shared_ptr<const std::byte> hostCopy(const void* from, size_t bytes) {
  if (bytes < leastInHugePages) {
    const auto* first = static_cast<const std::byte*>(from);
    const auto copy = std::make_shared<std::vector<std::byte>>(first, first + bytes);
    return {copy, copy->data()};
  }
  const auto copy = std::make_shared<HostBuffer>(bytes);
  std::memcpy(copy->get(), from, bytes);
  return {copy, copy->get()};
}

}  // namespace cudnn_resnet
