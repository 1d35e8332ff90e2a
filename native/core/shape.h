// The logical shape of a tensor: NCHW for images, whatever layout an engine keeps.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cudnn_resnet {

using Shape = std::vector<int64_t>;

constexpr size_t maxRank = 8;

// More could not be addressed, and would overflow the arithmetic of shapes.
constexpr int64_t mostElements = int64_t{1} << 40;

[[nodiscard]] int64_t elements(const Shape& shape) noexcept;

// "[1, 64, 56, 56]"
[[nodiscard]] std::string text(const Shape& shape);

}  // namespace cudnn_resnet
