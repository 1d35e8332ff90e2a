#include "core/dtype.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

namespace cudnn_resnet {
namespace {

struct Description {
  DType dtype;
  std::string_view name;
  size_t bytes;
};

constexpr std::array<Description, 6> descriptions{{{DType::Float32, "float32", 4},
                                                   {DType::Float16, "float16", 2},
                                                   {DType::BFloat16, "bfloat16", 2},
                                                   {DType::UInt8, "uint8", 1},
                                                   {DType::Int64, "int64", 8},
                                                   {DType::Float64, "float64", 8}}};

// The 16-bit types as types of their own, so that overloads can tell them apart.
struct Half {
  uint16_t bits;
};
struct Brain {
  uint16_t bits;
};

float toFloat(Brain value) { return std::bit_cast<float>(static_cast<uint32_t>(value.bits) << 16); }

float toFloat(Half value) {
  const uint32_t sign = static_cast<uint32_t>(value.bits & 0x8000U) << 16;
  const uint32_t magnitude = value.bits & 0x7fffU;
  if (magnitude >= 0x7c00U) {  // infinity and NaN keep their payload
    return std::bit_cast<float>(sign | 0x7f800000U | ((magnitude & 0x3ffU) << 13));
  }
  // The exponent's bias differs by 112; multiplying instead of shifting makes subnormals come out right too.
  const float scaled = std::bit_cast<float>(magnitude << 13) * 0x1p112F;
  return std::bit_cast<float>(std::bit_cast<uint32_t>(scaled) | sign);
}

Brain toBrain(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffU) > 0x7f800000U) {
    return {static_cast<uint16_t>((bits >> 16) | 0x40U)};  // NaN stays NaN, quiet
  }
  return {static_cast<uint16_t>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16)};
}

Half toHalf(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000U);
  const uint32_t magnitude = bits & 0x7fffffffU;
  if (magnitude > 0x7f800000U) {
    return {static_cast<uint16_t>(sign | 0x7e00U)};
  }
  if (magnitude >= 0x477ff000U) {  // rounds to beyond 65504
    return {static_cast<uint16_t>(sign | 0x7c00U)};
  }
  if (magnitude < 0x38800000U) {  // below 2^-14 the adder itself rounds to the subnormal's last bit, 2^-24
    const float rounded = std::bit_cast<float>(magnitude) + 0.5F;
    return {static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(rounded) - 0x3f000000U))};
  }
  const uint32_t rounded = magnitude + 0xfffU + ((magnitude >> 13) & 1U);
  return {static_cast<uint16_t>(sign | ((rounded - 0x38000000U) >> 13))};
}

// What rounds to a 16-bit float as the value itself would: where float32 does not have it, the neighbour
// towards zero with its last bit set, which is no tie and no such float.
float withSticky(double value) {
  const auto nearest = static_cast<float>(value);
  if (std::isnan(value) || static_cast<double>(nearest) == value) {
    return nearest;
  }
  const bool beyond = std::abs(static_cast<double>(nearest)) > std::abs(value);
  const float towardsZero = beyond ? std::nextafter(nearest, 0.0F) : nearest;
  return std::bit_cast<float>(std::bit_cast<uint32_t>(towardsZero) | 1U);
}

float withSticky(int64_t value) {
  constexpr int64_t low = 0xffff;  // of what is too large for float64: these say only whether there are any
  const bool large = value > (int64_t{1} << 53) || value < -(int64_t{1} << 53);
  const int64_t sticky = large && (value & low) != 0 ? low + 1 : 0;
  return withSticky(static_cast<double>(large ? (value & ~low) | sticky : value));
}

float withSticky(float value) { return value; }
float withSticky(uint8_t value) { return value; }

template <typename To, typename From>
To convertOne(From value) {
  if constexpr (std::is_same_v<To, From>) {
    return value;
  } else if constexpr (std::is_same_v<From, Half> || std::is_same_v<From, Brain>) {
    return convertOne<To>(toFloat(value));
  } else if constexpr (std::is_same_v<To, Half>) {
    return toHalf(withSticky(value));
  } else if constexpr (std::is_same_v<To, Brain>) {
    return toBrain(withSticky(value));
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    // Out of range is undefined in C++: saturate, and NaN is 0, as the vector instructions of GPUs do.
    constexpr auto low = static_cast<From>(std::numeric_limits<To>::lowest());
    constexpr auto high = static_cast<From>(std::numeric_limits<To>::max());
    if (std::isnan(value)) {
      return 0;
    }
    if (value <= low) {
      return std::numeric_limits<To>::lowest();
    }
    return value >= high ? std::numeric_limits<To>::max() : static_cast<To>(value);
  } else {
    return static_cast<To>(value);
  }
}

template <typename From, typename To>
void convertAll(const void* from, void* to, size_t count) {
  const auto* source = static_cast<const From*>(from);
  auto* target = static_cast<To*>(to);
  for (size_t i = 0; i < count; ++i) {
    target[i] = convertOne<To>(source[i]);
  }
}

template <typename Function>
void withType(DType dtype, Function&& function) {
  switch (dtype) {
    case DType::Float32:
      return function(float{});
    case DType::Float16:
      return function(Half{});
    case DType::BFloat16:
      return function(Brain{});
    case DType::UInt8:
      return function(uint8_t{});
    case DType::Int64:
      return function(int64_t{});
    case DType::Float64:
      return function(double{});
  }
}

}  // namespace

std::string_view name(DType dtype) noexcept { return descriptions[static_cast<size_t>(dtype)].name; }

size_t bytesPerElement(DType dtype) noexcept { return descriptions[static_cast<size_t>(dtype)].bytes; }

std::optional<DType> dtypeNamed(std::string_view name) noexcept {
  for (const auto& description : descriptions) {
    if (description.name == name) {
      return description.dtype;
    }
  }
  return std::nullopt;
}

bool isFloat(DType dtype) noexcept {
  return dtype == DType::Float32 || dtype == DType::Float16 || dtype == DType::BFloat16;
}

void convertElements(const void* from, DType fromType, void* to, DType toType, size_t count) {
  if (count == 0) {
    return;  // where there is nothing there may be no address either, which memcpy does not take
  }
  if (fromType == toType) {
    std::memcpy(to, from, count * bytesPerElement(toType));
    return;
  }
  withType(fromType, [&](auto source) {
    withType(toType, [&](auto target) { convertAll<decltype(source), decltype(target)>(from, to, count); });
  });
}

void scaleElements(const void* from, double factor, void* to, DType dtype, size_t count) {
  withType(dtype, [&](auto element) {
    using Element = decltype(element);
    const auto* source = static_cast<const Element*>(from);
    auto* target = static_cast<Element*>(to);
    for (size_t i = 0; i < count; ++i) {
      target[i] = convertOne<Element>(convertOne<double>(source[i]) * factor);
    }
  });
}

}  // namespace cudnn_resnet
