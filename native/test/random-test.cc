#include "core/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace cudnn_resnet {
namespace {

std::vector<float> normal(RandomSequence sequence, size_t count) {
  std::vector<float> out(count);
  fillNormal(sequence, 0, 1, out);
  return out;
}

std::vector<float> uniform(RandomSequence sequence, size_t count, double low = 0, double high = 1) {
  std::vector<float> out(count);
  fillUniform(sequence, low, high, out);
  return out;
}

// Philox4x32-10 of counter 0 and key 0 begins with 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8: the known
// answers that come with Random123.
TEST(Random, IsPhiloxByItsKnownAnswers) {
  const auto values = uniform({0, 0}, 4);
  const std::vector<uint32_t> known{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(values[i], static_cast<float>((known[i] + 0.5) * 0x1p-32));
  }
}

TEST(Random, APrefixIsThatOfALongerSequence) {
  const auto longer = normal({7, 3}, 1001);
  for (const size_t count : {1, 2, 3, 4, 5, 63, 1000}) {
    EXPECT_EQ(normal({7, 3}, count),
              std::vector<float>(longer.begin(), longer.begin() + static_cast<long>(count)));
  }
}

TEST(Random, SeedsAndStreamsDiffer) {
  const auto base = normal({1, 0}, 64);
  EXPECT_EQ(normal({1, 0}, 64), base);
  for (const RandomSequence other :
       {RandomSequence{2, 0}, {1, 1}, {0, 1}, {(uint64_t{1} << 32U) + 1, 0}, {1, uint64_t{1} << 32U}}) {
    EXPECT_NE(normal(other, 64), base);
  }
}

TEST(Random, UniformStaysWithinItsBoundsAndIsEven) {
  const auto values = uniform({5, 0}, 100000, -3, 5);
  EXPECT_GE(*std::min_element(values.begin(), values.end()), -3);
  EXPECT_LE(*std::max_element(values.begin(), values.end()), 5);
  std::vector<int> tenths(10);
  for (const float value : values) {
    ++tenths[std::min<size_t>(9, static_cast<size_t>((value + 3) / 0.8F))];
  }
  for (const int count : tenths) {
    EXPECT_NEAR(count, 10000, 500);  // five standard deviations: √(100000 · 0.1 · 0.9) = 95
  }
}

TEST(Random, UniformNeverReachesItsUpperEnd) {
  // The sixth draw of this seed is within 2^-25 of 1, which float32 rounds to 1.
  EXPECT_EQ(uniform({1142540, 0}, 6)[5], std::nextafter(1.0F, 0.0F));
  EXPECT_LT(uniform({1142540, 0}, 6, -0.1, 0.1)[5], 0.1);
}

TEST(Random, ThreadsDoNotShowInTheValues) {
  const auto whole = normal({7, 3}, 400001);
  EXPECT_EQ(normal({7, 3}, 70000), std::vector<float>(whole.begin(), whole.begin() + 70000));
  EXPECT_EQ(normal({7, 3}, 300002), std::vector<float>(whole.begin(), whole.begin() + 300002));
}

TEST(Random, NormalHasItsMoments) {
  constexpr size_t count = 200000;
  const auto values = normal({11, 0}, count);
  double sum = 0;
  double squares = 0;
  double cubes = 0;
  double fourths = 0;
  for (const double value : values) {
    sum += value;
    squares += value * value;
    cubes += value * value * value;
    fourths += value * value * value * value;
  }
  // within five standard errors: √(1, 2, 15, 96 / n)
  EXPECT_NEAR(sum / count, 0, 5 * std::sqrt(1.0 / count));
  EXPECT_NEAR(squares / count, 1, 5 * std::sqrt(2.0 / count));
  EXPECT_NEAR(cubes / count, 0, 5 * std::sqrt(15.0 / count));
  EXPECT_NEAR(fourths / count, 3, 5 * std::sqrt(96.0 / count));
}

TEST(Random, NormalFollowsItsDistributionFunction) {
  auto values = normal({13, 2}, 50000);
  std::sort(values.begin(), values.end());
  double largest = 0;  // of Kolmogorov and Smirnov
  for (size_t i = 0; i < values.size(); ++i) {
    const double expected = 0.5 * std::erfc(-values[i] / std::sqrt(2.0));
    largest = std::max(largest, std::fabs(expected - (static_cast<double>(i) + 0.5) / 50000));
  }
  EXPECT_LT(largest, 1.95 / std::sqrt(50000.0));  // one seed in a thousand would be beyond; this one is fixed
}

TEST(Random, StreamsAreNotCorrelated) {
  constexpr size_t count = 50000;
  const auto a = normal({1, 0}, count);
  const auto b = normal({1, 1}, count);
  const auto c = normal({2, 0}, count);
  double ab = 0;
  double ac = 0;
  for (size_t i = 0; i < count; ++i) {
    ab += static_cast<double>(a[i]) * b[i];
    ac += static_cast<double>(a[i]) * c[i];
  }
  EXPECT_LT(std::fabs(ab) / count, 5 / std::sqrt(static_cast<double>(count)));
  EXPECT_LT(std::fabs(ac) / count, 5 / std::sqrt(static_cast<double>(count)));
}

TEST(Random, MeanAndDeviationScale) {
  std::vector<float> scaled(8);
  fillNormal({1, 0}, 10, 0.5, scaled);
  const auto base = normal({1, 0}, 8);
  for (size_t i = 0; i < 8; ++i) {
    EXPECT_NEAR(scaled[i], 10 + 0.5 * base[i], 1e-6);
  }
}

TEST(Random, FillingNothingIsNoWork) { fillNormal({1, 0}, 0, 1, {}); }

}  // namespace
}  // namespace cudnn_resnet
