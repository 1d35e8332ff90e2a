// Element types, and the conversion between them on the host.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace cudnn_resnet {

static_assert(std::endian::native == std::endian::little,
              "files of weights are read and written as they are");

// Float64 is of the host: no tensor that JavaScript holds has it.
enum class DType : uint8_t { Float32, Float16, BFloat16, UInt8, Int64, Float64 };

[[nodiscard]] std::string_view name(DType dtype) noexcept;
[[nodiscard]] std::optional<DType> dtypeNamed(std::string_view name) noexcept;
[[nodiscard]] size_t bytesPerElement(DType dtype) noexcept;
[[nodiscard]] bool isFloat(DType dtype) noexcept;

// Converts `count` elements, rounding to nearest, ties to even. Floats that become integers are truncated.
void convertElements(const void* from, DType fromType, void* to, DType toType, size_t count);

// `count` elements times `factor`, computed in float64 and rounded once. `from` and `to` may be the same.
void scaleElements(const void* from, double factor, void* to, DType dtype, size_t count);

}  // namespace cudnn_resnet
