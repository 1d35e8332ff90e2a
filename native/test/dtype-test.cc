#include "core/dtype.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace cudnn_resnet {
namespace {

template <typename To, typename From>
std::vector<To> converted(const std::vector<From>& from, DType fromType, DType toType) {
  std::vector<To> to(from.size());
  convertElements(from.data(), fromType, to.data(), toType, from.size());
  return to;
}

// What IEEE 754 says the 16 bits mean, by powers of two rather than by shifts.
double meaning(uint16_t bits, int exponentBits) {
  const int mantissaBits = 15 - exponentBits;
  const int exponent = (bits >> mantissaBits) & ((1 << exponentBits) - 1);
  const double mantissa = bits & ((1 << mantissaBits) - 1);
  const int bias = (1 << (exponentBits - 1)) - 1;
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  if (exponent == (1 << exponentBits) - 1) {
    return mantissa == 0 ? sign * std::numeric_limits<double>::infinity() : std::nan("");
  }
  return exponent == 0 ? sign * std::ldexp(mantissa, 1 - bias - mantissaBits)
                       : sign * std::ldexp(1 + std::ldexp(mantissa, -mantissaBits), exponent - bias);
}

struct SixteenBits {
  DType dtype;
  int exponentBits;
};

class SixteenBitFloats : public testing::TestWithParam<SixteenBits> {
 protected:
  const DType dtype = GetParam().dtype;
  const int exponentBits = GetParam().exponentBits;
};

TEST_P(SixteenBitFloats, EveryPatternMeansWhatTheStandardSays) {
  std::vector<uint16_t> patterns(65536);
  for (size_t i = 0; i < patterns.size(); ++i) {
    patterns[i] = static_cast<uint16_t>(i);
  }
  const auto floats = converted<float>(patterns, dtype, DType::Float32);
  for (size_t i = 0; i < patterns.size(); ++i) {
    const double expected = meaning(patterns[i], exponentBits);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(floats[i])) << i;
    } else {
      ASSERT_EQ(floats[i], expected) << i;
      ASSERT_EQ(std::signbit(floats[i]), std::signbit(expected)) << i;
    }
  }
}

TEST_P(SixteenBitFloats, EveryPatternButNaNComesBackAndNaNStaysNaN) {
  for (uint32_t i = 0; i < 65536; ++i) {
    const std::vector<uint16_t> pattern{static_cast<uint16_t>(i)};
    const auto back =
        converted<uint16_t>(converted<float>(pattern, dtype, DType::Float32), DType::Float32, dtype);
    if (std::isnan(meaning(pattern[0], exponentBits))) {
      ASSERT_TRUE(std::isnan(meaning(back[0], exponentBits))) << i;
    } else {
      ASSERT_EQ(back[0], pattern[0]) << i;
    }
  }
}

// Also where what tells it from infinity is in the bits that are cut off.
TEST_P(SixteenBitFloats, EveryNaNStaysOne) {
  for (const uint32_t bits : {0x7f800001U, 0xff800001U, 0x7f801000U, 0x7fffffffU, 0xffffffffU}) {
    const auto rounded =
        converted<uint16_t>(std::vector<float>{std::bit_cast<float>(bits)}, DType::Float32, dtype);
    EXPECT_TRUE(std::isnan(meaning(rounded[0], exponentBits))) << std::hex << bits;
  }
}

// Between neighbours: just below the middle, the middle itself and just above it.
TEST_P(SixteenBitFloats, RoundsToNearestAndTiesToEven) {
  const int infinity = ((1 << exponentBits) - 1) << (15 - exponentBits);
  for (int i = 0; i + 1 < infinity; ++i) {
    const auto low = static_cast<uint16_t>(i);
    const auto high = static_cast<uint16_t>(i + 1);
    const double middle = (meaning(low, exponentBits) + meaning(high, exponentBits)) / 2;
    const auto exact = static_cast<float>(middle);
    if (exact != middle) {
      continue;  // float32 has no such value, so nothing can be a tie
    }
    const std::vector<float> around{std::nextafter(exact, 0.0F), exact, std::nextafter(exact, INFINITY)};
    const auto rounded = converted<uint16_t>(around, DType::Float32, dtype);
    ASSERT_EQ(rounded[0], low) << i;
    ASSERT_EQ(rounded[1], (low & 1) == 0 ? low : high) << i;
    ASSERT_EQ(rounded[2], high) << i;
    const auto negative = converted<uint16_t>(std::vector<float>{-exact}, DType::Float32, dtype);
    ASSERT_EQ(negative[0], rounded[1] | 0x8000) << i;
  }
}

// As by way of float32 they would not be.
TEST_P(SixteenBitFloats, WhatIsWiderIsRoundedOnce) {
  const int mantissaBits = 15 - exponentBits;
  const double tie = 1 + std::ldexp(1, -mantissaBits - 1);
  const uint16_t one = converted<uint16_t>(std::vector<float>{1}, DType::Float32, dtype)[0];
  const double little = 0x1p-40;
  EXPECT_EQ(
      converted<uint16_t>(std::vector<double>{tie - little, tie, tie + little, -tie - little, NAN},
                          DType::Float64, dtype),
      (std::vector<uint16_t>{one, one, static_cast<uint16_t>(one + 1), static_cast<uint16_t>(0x8001 + one),
                             converted<uint16_t>(std::vector<float>{NAN}, DType::Float32, dtype)[0]}));
  if (dtype == DType::BFloat16) {  // whose range has them
    for (const int power : {40, 54, 62}) {
      const auto whole = static_cast<int64_t>(std::ldexp(tie, power));
      const auto bits = converted<uint16_t>(
          std::vector<int64_t>{whole - 1, whole, whole + 1, -whole - 1, -whole, -whole + 1}, DType::Int64,
          dtype);
      EXPECT_EQ(bits[1] + 1, bits[2]) << power;
      EXPECT_EQ(bits[0], bits[1]) << power;
      EXPECT_EQ(bits[3], bits[2] | 0x8000) << power;
      EXPECT_EQ(bits[4], bits[1] | 0x8000) << power;
      EXPECT_EQ(bits[5], bits[1] | 0x8000) << power;
    }
  }
}

TEST_P(SixteenBitFloats, WhatIsTooLargeIsInfinite) {
  const auto infinity = static_cast<uint16_t>(((1 << exponentBits) - 1) << (15 - exponentBits));
  const double largest = meaning(static_cast<uint16_t>(infinity - 1), exponentBits);
  const double step = largest - meaning(static_cast<uint16_t>(infinity - 2), exponentBits);
  const auto tie = static_cast<float>(largest + step / 2);
  const auto bits = converted<uint16_t>(
      std::vector<float>{std::nextafter(tie, 0.0F), tie, INFINITY, -INFINITY}, DType::Float32, dtype);
  EXPECT_EQ(bits[0], infinity - 1);
  EXPECT_EQ(bits[1], infinity);
  EXPECT_EQ(bits[2], infinity);
  EXPECT_EQ(bits[3], infinity | 0x8000);
}

INSTANTIATE_TEST_SUITE_P(DType, SixteenBitFloats,
                         testing::Values(SixteenBits{DType::Float16, 5}, SixteenBits{DType::BFloat16, 8}),
                         [](const auto& info) { return std::string(name(info.param.dtype)); });

TEST(DType, FloatsToIntegersTruncateSaturateAndMakeZeroOfNaN) {
  const std::vector<float> values{1.9F,   -1.9F,    255.9F,    256, -1,   1e30F,
                                  -1e30F, INFINITY, -INFINITY, NAN, -0.5F};
  EXPECT_EQ(converted<uint8_t>(values, DType::Float32, DType::UInt8),
            (std::vector<uint8_t>{1, 0, 255, 255, 0, 255, 0, 255, 0, 0, 0}));
  constexpr auto most = std::numeric_limits<int64_t>::max();
  constexpr auto least = std::numeric_limits<int64_t>::min();
  EXPECT_EQ(converted<int64_t>(values, DType::Float32, DType::Int64),
            (std::vector<int64_t>{1, -1, 255, 256, -1, most, least, most, least, 0, 0}));
  EXPECT_EQ(converted<int64_t>(std::vector<double>{9.3e18, -9.3e18, 0x1p63, -0x1p63, 0x1p53}, DType::Float64,
                               DType::Int64),
            (std::vector<int64_t>{most, least, most, least, int64_t{1} << 53}));
}

TEST(DType, IntegersBecomeFloatsAndOtherIntegers) {
  EXPECT_EQ(converted<float>(std::vector<uint8_t>{0, 7, 255}, DType::UInt8, DType::Float32),
            (std::vector<float>{0, 7, 255}));
  EXPECT_EQ(converted<float>(std::vector<int64_t>{-3, (int64_t{1} << 24) + 1}, DType::Int64, DType::Float32),
            (std::vector<float>{-3, 16777216}));
  EXPECT_EQ(converted<int64_t>(std::vector<uint8_t>{200}, DType::UInt8, DType::Int64),
            (std::vector<int64_t>{200}));
}

TEST(DType, OneTypeIsCopiedBitForBit) {
  const std::vector<uint32_t> patterns{0x7fc00001, 0xffc12345, 0x80000000, 1};
  EXPECT_EQ(converted<uint32_t>(patterns, DType::Float32, DType::Float32), patterns);
}

TEST(DType, NoElementsAreNoWork) {
  convertElements(nullptr, DType::Float32, nullptr, DType::Float16, 0);
  convertElements(nullptr, DType::Int64, nullptr, DType::Int64, 0);
}

TEST(DType, NamesAndSizes) {
  for (const DType dtype :
       {DType::Float32, DType::Float16, DType::BFloat16, DType::UInt8, DType::Int64, DType::Float64}) {
    EXPECT_EQ(dtypeNamed(name(dtype)), dtype);
  }
  EXPECT_EQ(dtypeNamed("float"), std::nullopt);
  EXPECT_EQ(dtypeNamed(""), std::nullopt);
  EXPECT_EQ(bytesPerElement(DType::BFloat16), 2U);
  EXPECT_EQ(bytesPerElement(DType::Int64), 8U);
  EXPECT_TRUE(isFloat(DType::Float16));
  EXPECT_FALSE(isFloat(DType::UInt8));
}

}  // namespace
}  // namespace cudnn_resnet
