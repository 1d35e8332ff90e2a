#include "core/fold.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "fake-engine.h"

namespace cudnn_resnet {
namespace {

struct Made {
  explicit Made(test::FakeEngine& engine, Shape shape, const std::vector<float>& values,
                DType dtype = DType::Float32)
      : tensor(std::move(shape), dtype) {
    std::vector<std::byte> raw(tensor.bytes());
    convertElements(values.data(), DType::Float32, raw.data(), dtype, values.size());
    engine.upload(raw.data(), tensor);
  }
  Tensor tensor;
};

std::vector<float> valuesOf(test::FakeEngine& engine, Tensor& x) {
  std::vector<std::byte> raw(x.bytes());
  engine.download(x, raw.data());
  std::vector<float> out(static_cast<size_t>(x.size()));
  convertElements(raw.data(), x.dtype, out.data(), DType::Float32, out.size());
  return out;
}

TEST(Fold, ScalesEachOutputChannelAndShiftsItsBias) {
  test::FakeEngine engine;
  Made weight(engine, {2, 1, 1, 2}, {1, 2, 3, 4});
  Made bias(engine, {2}, {0.5F, -1});
  Made mean(engine, {2}, {1, 2});
  Made variance(engine, {2}, {4, 0.25F});
  Made gamma(engine, {2}, {2, 3});
  Made beta(engine, {2}, {10, 20});
  Tensor foldedWeight({2, 1, 1, 2}, DType::Float32);
  Tensor foldedBias({2}, DType::Float32);
  foldBatchNorm(engine, {mean.tensor, variance.tensor, &gamma.tensor, &beta.tensor, 0}, weight.tensor,
                &bias.tensor, foldedWeight, foldedBias);
  // the scales are 2/√4 = 1 and 3/√0.25 = 6
  EXPECT_EQ(valuesOf(engine, foldedWeight), (std::vector<float>{1, 2, 18, 24}));
  EXPECT_EQ(valuesOf(engine, foldedBias), (std::vector<float>{9.5F, 2}));
}

TEST(Fold, WithoutBiasAndWithoutAffineParameters) {
  test::FakeEngine engine;
  Made weight(engine, {1, 1, 1, 1}, {3});
  Made mean(engine, {1}, {2});
  Made variance(engine, {1}, {3});
  Tensor foldedWeight({1, 1, 1, 1}, DType::Float32);
  Tensor foldedBias({1}, DType::Float32);
  foldBatchNorm(engine, {mean.tensor, variance.tensor, nullptr, nullptr, 1}, weight.tensor, nullptr,
                foldedWeight, foldedBias);
  EXPECT_EQ(valuesOf(engine, foldedWeight), (std::vector<float>{1.5F}));
  EXPECT_EQ(valuesOf(engine, foldedBias), (std::vector<float>{-1}));
}

TEST(Fold, SixteenBitWeightsAreRoundedOnceAndTheBiasStaysFloat32) {
  test::FakeEngine engine;
  Made weight(engine, {1, 1, 1, 1}, {1}, DType::BFloat16);
  Made mean(engine, {1}, {1});
  Made variance(engine, {1}, {3});
  Tensor foldedWeight({1, 1, 1, 1}, DType::BFloat16);
  Tensor foldedBias({1}, DType::Float32);
  foldBatchNorm(engine, {mean.tensor, variance.tensor, nullptr, nullptr, 0}, weight.tensor, nullptr,
                foldedWeight, foldedBias);
  EXPECT_EQ(valuesOf(engine, foldedWeight)[0], 0.578125F);  // 0.57735 to 8 bits
  EXPECT_EQ(valuesOf(engine, foldedBias)[0], static_cast<float>(-1 / std::sqrt(3.0)));
}

}  // namespace
}  // namespace cudnn_resnet
