// Weights that are but scaled, on the CPU: whatever happens to what they are made from, their values stay.
#ifdef CUDNN_RESNET_CPU

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "cpu/engine.h"
#include "engine-tensors.h"
#include "float-dtypes.h"

namespace cudnn_resnet::cpu {
namespace {

using test::Bytes;

class ScaleSlicesTest : public testing::TestWithParam<DType>, protected test::EngineTensors {
 protected:
  ScaleSlicesTest() : EngineTensors(GetParam()) {
    engine_ = std::make_unique<CpuEngine>(memory_);
    weight_ = randomTensor({32, 32, 3, 3});
    factors_.resize(32);
    for (size_t i = 0; i < factors_.size(); ++i) {
      factors_[i] = 0.1 * static_cast<double>(i) - 1;
    }
    expected_ = bytesOf(*weight_);
    const size_t slice = expected_.size() / factors_.size();
    for (size_t i = 0; i < factors_.size(); ++i) {
      std::byte* const first = expected_.data() + i * slice;
      scaleElements(first, factors_[i], first, GetParam(), slice / bytesPerElement(GetParam()));
    }
    scaled_ = empty(weight_->shape);
    engine_->scaleSlices(factors_, *weight_, *scaled_);
  }

  // By the algorithm that wants its weights in a layout which cannot be read back.
  TensorPtr convolved(const TensorPtr& x, const TensorPtr& weight, Tensor* add = nullptr) {
    Conv2dAttributes attributes;
    attributes.padding = {1, 1};
    attributes.algorithm = ConvAlgorithm::Fast;
    auto y = empty({1, 32, 12, 12});
    engine_->conv2d(attributes, *x, *weight, nullptr, add, *y);
    return y;
  }

  TensorPtr weight_, scaled_;
  std::vector<double> factors_;
  Bytes expected_;
};

TEST_P(ScaleSlicesTest, AreTheProducts) { EXPECT_EQ(bytesOf(*scaled_), expected_); }

TEST_P(ScaleSlicesTest, TakeMemoryOnlyAsTheyArePacked) {
  const size_t before = memory_.use->used;
  const auto again = empty(weight_->shape);
  engine_->scaleSlices(factors_, *weight_, *again);
  EXPECT_EQ(memory_.use->used, before);
  (void)convolved(randomTensor({1, 32, 12, 12}), again);
  const size_t packed = memory_.use->used - before;
  (void)bytesOf(*again);
  (void)convolved(randomTensor({1, 32, 12, 12}), again);
  EXPECT_LE(memory_.use->used - before, packed + weight_->bytes()) << "nor more than once in one piece";
}

TEST_P(ScaleSlicesTest, ConvolveAsWeightsThatWereUploaded) {
  const auto uploaded = empty(weight_->shape);
  engine_->upload(expected_.data(), *uploaded);
  const auto x = randomTensor({1, 32, 12, 12});
  EXPECT_EQ(bytesOf(*convolved(x, scaled_)), bytesOf(*convolved(x, uploaded)));
  EXPECT_EQ(bytesOf(*scaled_), expected_) << "after they were packed";
}

TEST_P(ScaleSlicesTest, KeepTheirValuesWhereTheirSourceIsGivenOthers) {
  const auto others = randomTensor(weight_->shape);
  engine_->copy(*others, *weight_);
  EXPECT_EQ(bytesOf(*weight_), bytesOf(*others));
  EXPECT_EQ(bytesOf(*scaled_), expected_);
}

TEST_P(ScaleSlicesTest, KeepTheirValuesWhereTheirSourceIsFreed) {
  weight_.reset();
  const auto others = randomTensor({32, 32, 3, 3});
  EXPECT_EQ(bytesOf(*scaled_), expected_);
}

// A residual that nothing else reads is written over, where it lies as the result does: here in C order.
TEST_P(ScaleSlicesTest, KeepTheirValuesWhereTheirSourceIsAddedTo) {
  const auto x = randomTensor({2, 3, 12, 12});
  const auto weight = randomTensor({5, 3, 1, 1});
  const auto y = empty({2, 5, 12, 12});
  const auto residual = randomTensor(y->shape);
  const auto scaled = empty(y->shape);
  engine_->scaleSlices({2, 2}, *residual, *scaled);
  Bytes twice = bytesOf(*residual);
  scaleElements(twice.data(), 2, twice.data(), GetParam(), static_cast<size_t>(y->size()));
  residual->abandoned = true;
  residual->pendingReads = 1;
  engine_->conv2d({}, *x, *weight, nullptr, residual.get(), *y);
  EXPECT_EQ(bytesOf(*scaled), twice);
}

TEST_P(ScaleSlicesTest, OfWeightsThatAConvolutionHasPackedAreTheSame) {
  const auto packed = randomTensor({32, 32, 3, 3});
  engine_->copy(*weight_, *packed);
  (void)convolved(randomTensor({1, 32, 12, 12}), packed);
  const auto scaled = empty(packed->shape);
  engine_->scaleSlices(factors_, *packed, *scaled);
  EXPECT_EQ(bytesOf(*scaled), expected_);
}

INSTANTIATE_TEST_SUITE_P(DTypes, ScaleSlicesTest, test::floatDTypes, test::dtypeName);

}  // namespace
}  // namespace cudnn_resnet::cpu

#endif
