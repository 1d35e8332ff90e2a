// A copy of what may change as soon as a call returns.
#pragma once

#include <cstddef>
#include <memory>

namespace cudnn_resnet {

// Of `bytes` at `from`. Throws std::bad_alloc.
[[nodiscard]] std::shared_ptr<const std::byte> hostCopy(const void* from, size_t bytes);

}  // namespace cudnn_resnet
