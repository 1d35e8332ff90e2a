#include "core/fold.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "engine-tensors.h"
#include "fake-engine.h"

namespace cudnn_resnet {
namespace {

class Fold : public testing::Test, protected test::EngineTensors {
 protected:
  Fold() { engine_ = std::make_unique<test::FakeEngine>(); }
};

TEST_F(Fold, ScalesEachOutputChannelAndShiftsItsBias) {
  const auto weight = tensor({2, 1, 1, 2}, {1, 2, 3, 4});
  const auto bias = tensor({2}, {0.5, -1});
  const auto mean = tensor({2}, {1, 2});
  const auto variance = tensor({2}, {4, 0.25});
  const auto gamma = tensor({2}, {2, 3});
  const auto beta = tensor({2}, {10, 20});
  const auto foldedWeight = empty({2, 1, 1, 2});
  const auto foldedBias = empty({2});
  foldBatchNorm(*engine_, {*mean, *variance, gamma.get(), beta.get(), 0}, *weight, bias.get(), *foldedWeight,
                *foldedBias);
  // the scales are 2/√4 = 1 and 3/√0.25 = 6
  EXPECT_EQ(read(*foldedWeight), (test::Values{1, 2, 18, 24}));
  EXPECT_EQ(read(*foldedBias), (test::Values{9.5, 2}));
}

TEST_F(Fold, WithoutBiasAndWithoutAffineParameters) {
  const auto weight = tensor({1, 1, 1, 1}, {3});
  const auto mean = tensor({1}, {2});
  const auto variance = tensor({1}, {3});
  const auto foldedWeight = empty({1, 1, 1, 1});
  const auto foldedBias = empty({1});
  foldBatchNorm(*engine_, {*mean, *variance, nullptr, nullptr, 1}, *weight, nullptr, *foldedWeight,
                *foldedBias);
  EXPECT_EQ(read(*foldedWeight), (test::Values{1.5}));
  EXPECT_EQ(read(*foldedBias), (test::Values{-1}));
}

TEST_F(Fold, SixteenBitWeightsAreRoundedOnceAndTheBiasStaysFloat32) {
  const auto weight = tensor({1, 1, 1, 1}, {1}, DType::BFloat16);
  const auto mean = tensor({1}, {1});
  const auto variance = tensor({1}, {3});
  const auto foldedWeight = empty({1, 1, 1, 1}, DType::BFloat16);
  const auto foldedBias = empty({1});
  foldBatchNorm(*engine_, {*mean, *variance, nullptr, nullptr, 0}, *weight, nullptr, *foldedWeight,
                *foldedBias);
  EXPECT_EQ(read(*foldedWeight)[0], 0.578125);  // 0.57735 to 8 bits
  EXPECT_EQ(read(*foldedBias)[0], static_cast<float>(-1 / std::sqrt(3.0)));
}

}  // namespace
}  // namespace cudnn_resnet
