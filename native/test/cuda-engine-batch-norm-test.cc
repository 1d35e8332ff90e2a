#ifdef CUDNN_RESNET_CUDA

#include <algorithm>
#include <cmath>
#include <functional>

#include "cuda-engine-test.h"

namespace cudnn_resnet::cuda {
namespace {

TEST_P(CudaEngineTest, NormalisesByGivenStatistics) {
  for (const Shape& shape : {Shape{2, 3, 5, 7}, Shape{2, 16, 5, 7}, Shape{2, 65, 5, 7}, Shape{1, 5, 4, 6}}) {
    const int64_t channels = shape[1];
    const Values x = random(shape);
    Values mean = random({channels});
    Values variance = random({channels});
    for (double& v : variance) {
      v = static_cast<float>(v * v + 0.1);
    }
    const Values weight = random({channels});
    const Values bias = random({channels});
    const auto f32 = DType::Float32;
    const auto meanTensor = tensor({channels}, mean, f32);
    const auto varianceTensor = tensor({channels}, variance, f32);
    const auto weightTensor = tensor({channels}, weight, f32);
    const auto biasTensor = tensor({channels}, bias, f32);
    Values expected;
    for (size_t i = 0; i < x.size(); ++i) {
      const size_t c = i / static_cast<size_t>(shape[2] * shape[3]) % static_cast<size_t>(channels);
      expected.push_back(
          std::max(0.0, (x[i] - mean[c]) / std::sqrt(variance[c] + 1e-5) * weight[c] + bias[c]));
    }
    for (const auto& given : {tensor(shape, x), channelsLast(tensor(shape, x))}) {
      const auto y = empty(shape);
      engine_->batchNorm({*meanTensor, *varianceTensor, weightTensor.get(), biasTensor.get(), 1e-5},
                         Activation::Relu, *given, *y);
      expectClose(*y, expected);
    }
  }
}

// What moves in place may be read as a bias, of which there is a copy in the dtype of the convolution.
TEST_P(CudaEngineTest, AStatisticThatMovedIsABiasOfItsNewValues) {
  const auto f32 = DType::Float32;
  const auto mean = tensor({8}, Values(8, 0.5), f32);
  const auto variance = tensor({8}, Values(8, 1), f32);
  const auto convolved = [&] {
    const auto y = empty({1, 8, 2, 2});
    engine_->conv2d({}, *tensor({1, 8, 2, 2}, Values(32, 0)), *randomTensor({8, 8, 1, 1}), mean.get(),
                    nullptr, *y);
    return read(*y);
  };
  EXPECT_EQ(convolved(), Values(32, 0.5));
  const auto y = empty({1, 8, 2, 2});
  engine_->batchNormTraining({*mean, *variance, nullptr, nullptr, 1e-5}, 1, nullptr,
                             *tensor({1, 8, 2, 2}, Values(32, 2)), *y);
  EXPECT_EQ(convolved(), Values(32, 2));
  engine_->copy(*tensor({8}, Values(8, 3), f32), *mean);
  EXPECT_EQ(convolved(), Values(32, 3));
}

// It is computed from what was rounded.
TEST_P(CudaEngineTest, TheVarianceOfEqualValuesIsNotNegative) {
  const auto f32 = DType::Float32;
  for (const double epsilon : {1e-5, 1e-4, 1e-3, 1e-2, 1e-1}) {
    const auto mean = tensor({8}, Values(8, 0), f32);
    const auto variance = tensor({8}, Values(8, 1), f32);
    const auto y = empty({1, 8, 2, 2});
    engine_->batchNormTraining({*mean, *variance, nullptr, nullptr, epsilon}, 1, nullptr,
                               *tensor({1, 8, 2, 2}, Values(32, 2)), *y);
    for (const float value : read(*variance)) {
      EXPECT_GE(value, 0) << epsilon;
      EXPECT_LE(value, 1e-6) << epsilon;
    }
  }
}

TEST_P(CudaEngineTest, NormalisesByTheStatisticsOfTheBatch) {
  for (const int64_t channels : {3, 8, 64}) {
    const Shape shape{3, channels, 5, 7};
    const Values x = random(shape);
    const Values weight = random({channels});
    const Values bias = random({channels});
    const auto f32 = DType::Float32;
    const auto mean = tensor({channels}, Values(static_cast<size_t>(channels), 0.5), f32);
    const auto variance = tensor({channels}, Values(static_cast<size_t>(channels), 2), f32);
    const auto batches = tensor({}, {41}, DType::Int64);
    const auto y = empty(shape);
    engine_->batchNormTraining(
        {*mean, *variance, tensor({channels}, weight, f32).get(), tensor({channels}, bias, f32).get(), 1e-5},
        0.1, batches.get(), *tensor(shape, x), *y);
    Values expected(x.size());
    Values movedMean;
    Values movedVariance;
    const auto each = [&](size_t c, const std::function<void(size_t)>& visit) {
      for (size_t n = 0; n < 3; ++n) {
        for (size_t p = 0; p < 35; ++p) {
          visit((n * static_cast<size_t>(channels) + c) * 35 + p);
        }
      }
    };
    for (size_t c = 0; c < static_cast<size_t>(channels); ++c) {
      double sum = 0;
      double squares = 0;
      each(c, [&](size_t i) { sum += x[i]; });
      each(c, [&](size_t i) { squares += (x[i] - sum / 105) * (x[i] - sum / 105); });
      each(c, [&](size_t i) {
        expected[i] = (x[i] - sum / 105) / std::sqrt(squares / 105 + 1e-5) * weight[c] + bias[c];
      });
      movedMean.push_back(0.9 * 0.5 + 0.1 * sum / 105);
      movedVariance.push_back(0.9 * 2 + 0.1 * squares / 104);
    }
    expectClose(*y, expected);
    expectClose(*mean, movedMean);
    expectClose(*variance, movedVariance);
    EXPECT_EQ(read(*batches), Values{42});
  }
}

TEST_P(CudaEngineTest, AllStatisticsMoveOrNoneDoesWhicheverAllocationFails) {
  const auto x = randomTensor({2, 3, 5, 7});
  bool failed = true;
  for (size_t room = 0; failed; room += 512 + room / 4) {
    const auto mean = tensor({3}, Values(3, 3), DType::Float32);
    const auto variance = tensor({3}, Values(3, 5), DType::Float32);
    const auto batches = tensor({}, {0}, DType::Int64);
    const auto y = empty(x->shape);
    memory_.use->limit = memory_.use->used + room;
    failed = false;
    try {
      engine_->batchNormTraining({*mean, *variance, nullptr, nullptr, 1e-5}, 0.1, batches.get(), *x, *y);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::OutOfMemory) << error.what();
      failed = true;
    }
    memory_.use->limit = SIZE_MAX;
    EXPECT_EQ(read(*mean) == Values(3, 3), failed) << room;
    EXPECT_EQ(read(*variance) == Values(3, 5), failed) << room;
    EXPECT_EQ(read(*batches), Values{failed ? 0.0 : 1.0}) << room;
  }
}

}  // namespace
}  // namespace cudnn_resnet::cuda

#endif
