#ifdef CUDNN_RESNET_CPU
#include "cpu/split.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <iterator>
#include <limits>
#include <random>
#include <vector>

#include "core/dtype.h"

namespace cudnn_resnet::cpu {
namespace {

class Split : public testing::Test {
 protected:
  void SetUp() override {
    if (!multipliesInTiles()) {
      GTEST_SKIP() << "this processor has no tiles";
    }
  }

  void of(const std::vector<float>& values) {
    std::vector<uint16_t> upper(values.size());
    std::vector<uint16_t> lower(values.size());
    high.resize(values.size());
    low.resize(values.size());
    split(values.data(), upper.data(), lower.data(), values.size());
    convertElements(upper.data(), DType::BFloat16, high.data(), DType::Float32, values.size());
    convertElements(lower.data(), DType::BFloat16, low.data(), DType::Float32, values.size());
    joined.clear();
    std::transform(high.begin(), high.end(), low.begin(), std::back_inserter(joined), std::plus<>());
  }

  std::vector<float> high, low, joined;
};

TEST_F(Split, LosesAtMostTheLastSevenBits) {
  std::mt19937 bits(std::random_device{}());
  std::vector<float> values(100003);
  for (float& value : values) {
    do {
      value = std::bit_cast<float>(static_cast<uint32_t>(bits()));
    } while (!std::isfinite(value) || std::abs(value) < 1e-30F);
  }
  of(values);
  for (size_t i = 0; i < values.size(); ++i) {
    ASSERT_LE(std::abs(joined[i] - values[i]), std::ldexp(std::abs(values[i]), -16)) << values[i];
    ASSERT_LE(std::abs(low[i]), std::ldexp(std::abs(high[i]), -7)) << values[i];
  }
}

TEST_F(Split, KeepsWholeNumbersOf16BitsAndZeros) {
  std::vector<float> values{0.0F, -0.0F};
  for (int n = -65536; n <= 65536; ++n) {
    values.push_back(static_cast<float>(n));
  }
  of(values);
  EXPECT_EQ(joined, values);
}

TEST_F(Split, KeepsWhatIsNoNumberOrNotFinite) {
  const float infinity = std::numeric_limits<float>::infinity();
  const float largest = std::numeric_limits<float>::max();
  of({infinity, -infinity, largest, -largest, std::nanf(""), std::bit_cast<float>(0xffffffffU),
      std::bit_cast<float>(0x7f800001U)});
  EXPECT_EQ(joined[0], infinity);
  EXPECT_EQ(joined[1], -infinity);
  for (const size_t i : {2, 3}) {  // their sum is above the largest of float32
    EXPECT_NEAR((double{high[i]} + double{low[i]}) / double{largest}, i == 2 ? 1 : -1, 1e-5);
  }
  for (const size_t i : {4, 5, 6}) {
    EXPECT_TRUE(std::isnan(high[i]));
    EXPECT_TRUE(std::isnan(joined[i]));
  }
}

}  // namespace
}  // namespace cudnn_resnet::cpu
#endif
