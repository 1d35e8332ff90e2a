// The index arithmetic of the kernels, run on the host thread by thread on odd sizes.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

#include "core/ranked.h"
#include "kernels/pool-index.h"
#include "kernels/transpose-index.h"

namespace cudnn_resnet::kernels {
namespace {

// What transposeKernel does, one thread after the other.
std::vector<int> transposed(const TransposeIndex& index, const std::vector<int>& from, int poison) {
  std::vector<int> to(static_cast<size_t>(index.batch * index.columns * index.targetRowLength), poison);
  for (int64_t matrix = 0; matrix < index.batch; ++matrix) {
    for (int64_t rowTile = 0; rowTile < index.rowTiles(); ++rowTile) {
      for (int64_t columnTile = 0; columnTile < index.columnTiles(); ++columnTile) {
        std::vector<int> buffer(TransposeIndex::tile * TransposeIndex::tile, poison);
        for (int y = 0; y < TransposeIndex::tile; ++y) {
          for (int x = 0; x < TransposeIndex::tile; ++x) {
            const int64_t source = index.source(matrix, columnTile, rowTile, x, y);
            buffer[static_cast<size_t>(y * TransposeIndex::tile + x)] =
                source < 0 ? 0 : from.at(static_cast<size_t>(source));
          }
        }
        for (int y = 0; y < TransposeIndex::tile; ++y) {
          for (int x = 0; x < TransposeIndex::tile; ++x) {
            const int64_t target = index.target(matrix, columnTile, rowTile, x, y);
            if (target >= 0) {
              int& element = to.at(static_cast<size_t>(target));
              EXPECT_EQ(element, poison) << "written twice";
              element = buffer[static_cast<size_t>(x * TransposeIndex::tile + y)];
            }
          }
        }
      }
    }
  }
  return to;
}

constexpr int poison = -7;

std::vector<int> counted(int64_t count) {
  std::vector<int> values(static_cast<size_t>(count));
  std::iota(values.begin(), values.end(), 1);
  return values;
}

struct ImageShape {
  int64_t batch, channels, pixels, padded;
};

class Transpose : public testing::TestWithParam<ImageShape> {};

TEST_P(Transpose, BringsChannelsLastAndPadsThemWithZeros) {
  const auto [batch, channels, pixels, padded] = GetParam();
  const auto from = counted(batch * channels * pixels);
  const auto to = transposed({channels, pixels, pixels, padded, batch}, from, poison);
  for (int64_t n = 0; n < batch; ++n) {
    for (int64_t p = 0; p < pixels; ++p) {
      for (int64_t c = 0; c < padded; ++c) {
        const int expected = c < channels ? from[static_cast<size_t>((n * channels + c) * pixels + p)] : 0;
        ASSERT_EQ(to[static_cast<size_t>((n * pixels + p) * padded + c)], expected);
      }
    }
  }
}

TEST_P(Transpose, BringsChannelsFirstAndCutsThePaddingOff) {
  const auto [batch, channels, pixels, padded] = GetParam();
  const auto from = counted(batch * pixels * padded);
  const auto to = transposed({pixels, channels, padded, pixels, batch}, from, poison);
  for (int64_t n = 0; n < batch; ++n) {
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t p = 0; p < pixels; ++p) {
        ASSERT_EQ(to[static_cast<size_t>((n * channels + c) * pixels + p)],
                  from[static_cast<size_t>((n * pixels + p) * padded + c)]);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(OddSizes, Transpose,
                         testing::Values(ImageShape{1, 3, 13 * 11, 8}, ImageShape{2, 64, 49, 64},
                                         ImageShape{3, 33, 31, 33}, ImageShape{1, 1, 1, 1},
                                         ImageShape{2, 5, 1, 8}, ImageShape{1, 32, 32, 32},
                                         ImageShape{2, 31, 65, 40}, ImageShape{1, 3, 224 * 2, 4},
                                         ImageShape{1, 1, 97, 4}));

TEST(WindowIndex, GivesThePixelsOfAWindowThatAreInTheImage) {
  for (const int64_t extent : {1, 2, 7, 13, 112}) {
    for (const int64_t kernel : {1, 2, 3, 7}) {
      for (const int64_t stride : {1, 2, 3}) {
        for (int64_t padding = 0; padding <= kernel / 2; ++padding) {
          const WindowIndex index{extent, kernel, stride, padding};
          for (int64_t output = 0; output * stride + kernel <= extent + 2 * padding; ++output) {
            std::vector<int64_t> expected;
            for (int64_t i = 0; i < kernel; ++i) {
              const int64_t pixel = output * stride - padding + i;
              if (pixel >= 0 && pixel < extent) {
                expected.push_back(pixel);
              }
            }
            const auto range = index.pixels(output);
            ASSERT_EQ(range.end - range.begin, static_cast<int64_t>(expected.size()));
            if (!expected.empty()) {
              ASSERT_EQ(range.begin, expected.front());
            }
          }
        }
      }
    }
  }
}

TEST(Ranked, PutsNaNFirstThenGreaterValuesThenLowerIndices) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> values{1, nan, -infinity, 3, 3, nan, infinity, -0.0F, 0.0F};
  std::vector<Ranked> ranked;
  for (size_t i = 0; i < values.size(); ++i) {
    ranked.push_back({values[i], static_cast<int64_t>(i)});
  }
  std::sort(ranked.begin(), ranked.end(), [](const Ranked& a, const Ranked& b) { return a.precedes(b); });
  std::vector<int64_t> order;
  for (const Ranked& entry : ranked) {
    order.push_back(entry.index);
  }
  EXPECT_EQ(order, (std::vector<int64_t>{1, 5, 6, 3, 4, 0, 7, 8, 2}));
}

TEST(Ranked, PutsNothingLast) {
  const Ranked nothing{0, -1};
  const Ranked least{-std::numeric_limits<float>::infinity(), 5};
  EXPECT_TRUE(least.precedes(nothing));
  EXPECT_FALSE(nothing.precedes(least));
  EXPECT_FALSE(nothing.precedes(nothing));
}

}  // namespace
}  // namespace cudnn_resnet::kernels
