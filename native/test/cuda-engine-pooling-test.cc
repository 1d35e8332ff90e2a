#ifdef CUDNN_RESNET_CUDA

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "cuda-engine-test.h"

namespace cudnn_resnet::cuda {
namespace {

TEST_P(CudaEngineTest, Pools) {
  struct Case {
    Shape x;
    Pool2dAttributes attributes;
  };
  for (const auto& [shape, a] :
       std::vector<Case>{{{2, 64, 15, 13}, {PoolKind::Max, {3, 3}, {2, 2}, {1, 1}}},
                         {{1, 5, 7, 9}, {PoolKind::Max, {2, 3}, {1, 2}, {1, 0}}},
                         {{2, 8, 9, 9}, {PoolKind::AverageIncludingPadding, {3, 3}, {2, 2}, {1, 1}}},
                         {{2, 8, 9, 9}, {PoolKind::AverageExcludingPadding, {3, 3}, {2, 2}, {1, 1}}},
                         {{2, 3, 6, 5}, {PoolKind::Max, {3, 3}, {2, 2}, {1, 1}}},
                         {{2, 37, 7, 7}, {PoolKind::AverageIncludingPadding, {7, 7}, {1, 1}, {0, 0}}}}) {
    SCOPED_TRACE(text(shape));
    const Values x = random(shape);
    Shape out{shape[0], shape[1], 0, 0};
    for (size_t i = 0; i < 2; ++i) {
      out[2 + i] = (shape[2 + i] + 2 * a.padding[i] - a.kernel[i]) / a.stride[i] + 1;
    }
    Values expected;
    for (int64_t plane = 0; plane < shape[0] * shape[1]; ++plane) {
      for (int64_t row = 0; row < out[2]; ++row) {
        for (int64_t column = 0; column < out[3]; ++column) {
          double sum = 0;
          double greatest = -std::numeric_limits<double>::infinity();
          int64_t count = 0;
          for (int64_t r = 0; r < a.kernel[0]; ++r) {
            for (int64_t s = 0; s < a.kernel[1]; ++s) {
              const int64_t h = row * a.stride[0] - a.padding[0] + r;
              const int64_t w = column * a.stride[1] - a.padding[1] + s;
              if (h >= 0 && h < shape[2] && w >= 0 && w < shape[3]) {
                const double value = x[static_cast<size_t>((plane * shape[2] + h) * shape[3] + w)];
                sum += value;
                greatest = std::max(greatest, value);
                ++count;
              }
            }
          }
          const int64_t divisor =
              a.kind == PoolKind::AverageIncludingPadding ? a.kernel[0] * a.kernel[1] : count;
          expected.push_back(a.kind == PoolKind::Max ? greatest : sum / static_cast<double>(divisor));
        }
      }
    }
    const auto y = empty(out);
    engine_->pool2d(a, *tensor(shape, x), *y);
    expectClose(*y, expected);
    engine_->pool2d(a, *channelsLast(tensor(shape, x)), *y);
    expectClose(*y, expected);
  }
}

// Wherever in its window it is.
TEST_P(CudaEngineTest, TheGreatestOfAWindowWithNaNIsNaN) {
  for (size_t place = 0; place < 4; ++place) {
    Values x(32, 1);
    for (size_t channel = 0; channel < 8; ++channel) {
      x[channel * 4 + place] = std::numeric_limits<double>::quiet_NaN();
    }
    const auto y = empty({1, 8, 1, 1});
    for (const auto& given : {tensor({1, 8, 2, 2}, x), channelsLast(tensor({1, 8, 2, 2}, x))}) {
      engine_->pool2d({PoolKind::Max, {2, 2}, {1, 1}, {0, 0}}, *given, *y);
      EXPECT_TRUE(std::ranges::all_of(read(*y), [](double value) { return std::isnan(value); })) << place;
    }
  }
}

}  // namespace
}  // namespace cudnn_resnet::cuda

#endif
