#include "core/shape-inference.h"

#include <gtest/gtest.h>

#include <utility>

#include "expect-error.h"

namespace cudnn_resnet {
namespace {

using test::expectError;

Tensor of(Shape shape, DType dtype = DType::Float32) { return {std::move(shape), dtype}; }

TEST(Conv2dShape, FollowsTheFormula) {
  const Tensor weight = of({8, 3, 3, 5});
  Conv2dAttributes a;
  EXPECT_EQ(conv2dShape(a, of({2, 3, 10, 11}), weight, nullptr, nullptr), (Shape{2, 8, 8, 7}));
  a.stride = {2, 3};
  a.padding = {1, 2};
  a.dilation = {2, 1};
  EXPECT_EQ(conv2dShape(a, of({2, 3, 10, 11}), weight, nullptr, nullptr), (Shape{2, 8, 4, 4}));
}

TEST(Conv2dShape, TheKernelMayJustFit) {
  EXPECT_EQ(conv2dShape({}, of({1, 1, 3, 3}), of({1, 1, 3, 3}), nullptr, nullptr), (Shape{1, 1, 1, 1}));
  expectError(ErrorCode::Shape, "larger than the padded input", [] {
    (void)conv2dShape({}, of({1, 1, 3, 3}), of({1, 1, 4, 3}), nullptr, nullptr);
  });
  Conv2dAttributes padded;
  padded.padding = {1, 0};
  EXPECT_EQ(conv2dShape(padded, of({1, 1, 3, 3}), of({1, 1, 4, 3}), nullptr, nullptr), (Shape{1, 1, 2, 1}));
}

TEST(Conv2dShape, ChannelsGroupsBiasAndAddMustFit) {
  Conv2dAttributes grouped;
  grouped.groups = 3;
  EXPECT_EQ(conv2dShape(grouped, of({1, 6, 1, 1}), of({9, 2, 1, 1}), nullptr, nullptr), (Shape{1, 9, 1, 1}));
  expectError(ErrorCode::Shape, "expects 6", [&] {
    (void)conv2dShape(grouped, of({1, 7, 1, 1}), of({9, 2, 1, 1}), nullptr, nullptr);
  });
  expectError(ErrorCode::Shape, "do not divide into 3 groups", [&] {
    (void)conv2dShape(grouped, of({1, 6, 1, 1}), of({8, 2, 1, 1}), nullptr, nullptr);
  });
  const Tensor bias = of({2});
  expectError(ErrorCode::Shape, "bias must have shape [9]", [&] {
    (void)conv2dShape(grouped, of({1, 6, 1, 1}), of({9, 2, 1, 1}), &bias, nullptr);
  });
  const Tensor add = of({1, 9, 1, 2});
  expectError(ErrorCode::Shape, "add must have shape [1, 9, 1, 1]", [&] {
    (void)conv2dShape(grouped, of({1, 6, 1, 1}), of({9, 2, 1, 1}), nullptr, &add);
  });
}

// The largest extents and attributes that the binding lets through.
TEST(Conv2dShape, NothingOverflows) {
  Conv2dAttributes a;
  a.dilation = {largestAttribute, largestAttribute};
  a.padding = {largestAttribute, largestAttribute};
  // 2^24 · 2^40 is a multiple of 2^64
  expectError(ErrorCode::Shape, "larger than the padded input", [&] {
    (void)conv2dShape(a, of({1, 1, 4, 4}), of({1, 1, mostElements + 1, 1}), nullptr, nullptr);
  });
  Conv2dAttributes grouped;
  grouped.groups = largestAttribute;
  expectError(ErrorCode::Shape, "channels", [&] {
    (void)conv2dShape(grouped, of({1, 1, 1, 1}), of({largestAttribute, mostElements, 1, 1}), nullptr,
                      nullptr);
  });
}

TEST(Conv2dShape, DTypesMustAgree) {
  expectError(ErrorCode::DType, "weight must be float32", [] {
    (void)conv2dShape({}, of({1, 1, 1, 1}), of({1, 1, 1, 1}, DType::BFloat16), nullptr, nullptr);
  });
  expectError(ErrorCode::DType, "x must be float32, float16 or bfloat16", [] {
    (void)conv2dShape({}, of({1, 1, 1, 1}, DType::UInt8), of({1, 1, 1, 1}, DType::UInt8), nullptr, nullptr);
  });
  const Tensor bias = of({1}, DType::Float16);
  expectError(ErrorCode::DType, "bias must be", [&] {
    (void)conv2dShape({}, of({1, 1, 1, 1}, DType::BFloat16), of({1, 1, 1, 1}, DType::BFloat16), &bias,
                      nullptr);
  });
  const Tensor add = of({1, 1, 1, 1}, DType::Float16);
  expectError(ErrorCode::DType, "add must be bfloat16", [&] {
    (void)conv2dShape({}, of({1, 1, 1, 1}, DType::BFloat16), of({1, 1, 1, 1}, DType::BFloat16), nullptr,
                      &add);
  });
  const Tensor wide = of({1});
  EXPECT_EQ(
      conv2dShape({}, of({1, 1, 1, 1}, DType::BFloat16), of({1, 1, 1, 1}, DType::BFloat16), &wide, nullptr),
      (Shape{1, 1, 1, 1}));
}

TEST(Pool2dShape, FollowsTheFormulaAndLimitsThePadding) {
  Pool2dAttributes a{PoolKind::Max, {3, 3}, {2, 2}, {1, 1}};
  EXPECT_EQ(pool2dShape(a, of({1, 4, 112, 113})), (Shape{1, 4, 56, 57}));
  a.kernel = {2, 3};
  EXPECT_EQ(pool2dShape(a, of({1, 4, 112, 113})), (Shape{1, 4, 57, 57})) << "half of it is not more";
  a.padding = {2, 1};
  expectError(ErrorCode::Argument, "more than half the kernel", [&] {
    (void)pool2dShape(a, of({1, 4, 9, 9}));
  });
  a.kernel = {3, 3};
  a.padding = {0, 0};
  expectError(ErrorCode::Shape, "larger than the padded input", [&] {
    (void)pool2dShape(a, of({1, 4, 2, 9}));
  });
  expectError(ErrorCode::Shape, "4 dimensions", [&] { (void)pool2dShape(a, of({1, 4, 2})); });
}

TEST(LinearShape, FeaturesMustAgree) {
  EXPECT_EQ(linearShape(of({2, 5}), of({7, 5}), nullptr), (Shape{2, 7}));
  expectError(ErrorCode::Shape, "weight [7, 6] expects 6", [] {
    (void)linearShape(of({2, 5}), of({7, 6}), nullptr);
  });
  const Tensor bias = of({5});
  expectError(ErrorCode::Shape, "bias must have shape [7]", [&] {
    (void)linearShape(of({2, 5}), of({7, 5}), &bias);
  });
  expectError(ErrorCode::Shape, "2 dimensions", [] {
    (void)linearShape(of({2, 5, 1}), of({7, 5}), nullptr);
  });
}

TEST(ReshapedShape, FillsInMinusOne) {
  EXPECT_EQ(reshapedShape({2, -1}, 12), (Shape{2, 6}));
  EXPECT_EQ(reshapedShape({-1}, 12), (Shape{12}));
  EXPECT_EQ(reshapedShape({}, 1), (Shape{}));
  EXPECT_EQ(reshapedShape({3, 4}, 12), (Shape{3, 4}));
  for (const Shape& wanted : {Shape{5, -1}, Shape{-1, -1}, Shape{0, -1}, Shape{0}, Shape{}, Shape{3, 5},
                              Shape{-2, 6}, Shape{-2, -6}}) {
    expectError(ErrorCode::Shape, "do not fit", [&] { (void)reshapedShape(wanted, 12); });
  }
}

TEST(NormalizeImageShape, TakesPixels) {
  EXPECT_EQ(normalizeImageShape(of({2, 5, 7, 3}, DType::UInt8)), (Shape{2, 3, 5, 7}));
  expectError(ErrorCode::Shape, "[N, H, W, 3]", [] {
    (void)normalizeImageShape(of({2, 3, 5, 7}, DType::UInt8));
  });
  expectError(ErrorCode::DType, "uint8", [] { (void)normalizeImageShape(of({2, 5, 7, 3})); });
}

TEST(CheckBatchNorm, ParametersAreFloat32AndOnePerChannel) {
  const Tensor x = of({2, 3, 4, 4}, DType::Float16);
  const Tensor three = of({3});
  const Tensor four = of({4});
  const Tensor half = of({3}, DType::Float16);
  checkBatchNorm(x, three, three, &three, nullptr);
  expectError(ErrorCode::Shape, "variance must have shape [3]",
              [&] { checkBatchNorm(x, three, four, nullptr, nullptr); });
  expectError(ErrorCode::DType, "bias must be float32",
              [&] { checkBatchNorm(x, three, three, nullptr, &half); });
}

TEST(CheckFoldBatchNorm, WhatIsFoldedAndWhatItBecomesMustFit) {
  const DType f16 = DType::Float16;
  const Tensor weight = of({8, 3, 1, 1}, f16);
  const Tensor eight = of({8});
  const Tensor nine = of({9});
  const Tensor half = of({8}, f16);
  checkFoldBatchNorm(weight, &half, eight, eight, &eight, nullptr);
  expectError(ErrorCode::Shape, "bias must have shape [8]",
              [&] { checkFoldBatchNorm(weight, &nine, eight, eight, nullptr, nullptr); });
  expectError(ErrorCode::Shape, "variance must have shape [8]",
              [&] { checkFoldBatchNorm(weight, nullptr, eight, nine, nullptr, nullptr); });
  expectError(ErrorCode::DType, "batchNormBias must be float32",
              [&] { checkFoldBatchNorm(weight, nullptr, eight, eight, nullptr, &half); });
  checkFolded(weight, weight, eight);
  expectError(ErrorCode::Shape, "foldedWeight must have shape [8, 3, 1, 1]", [&] {
    checkFolded(weight, of({8, 3}, f16), eight);
  });
  expectError(ErrorCode::DType, "foldedWeight must be float16", [&] {
    checkFolded(weight, of({8, 3, 1, 1}), eight);
  });
  expectError(ErrorCode::Shape, "foldedBias must have shape [8]", [&] { checkFolded(weight, weight, nine); });
  expectError(ErrorCode::DType, "foldedBias must be float32", [&] { checkFolded(weight, weight, half); });
}

TEST(CheckBatchNorm, TrainingNeedsTwoValues) {
  const Tensor three = of({3});
  checkBatchNormTraining(of({2, 3, 1, 1}), three, three, nullptr, nullptr);
  expectError(ErrorCode::Shape, "more than 1 value per channel", [&] {
    checkBatchNormTraining(of({1, 3, 1, 1}), three, three, nullptr, nullptr);
  });
}

TEST(CheckBatchNorm, TrainingNamesItsStatistics) {
  const Tensor x = of({2, 3, 1, 1});
  const Tensor three = of({3});
  const Tensor four = of({4});
  expectError(ErrorCode::Shape, "batchNormTraining: runningVariance must have shape [3]",
              [&] { checkBatchNormTraining(x, three, four, nullptr, nullptr); });
}

TEST(CheckRest, AddSoftmaxTopK) {
  expectError(ErrorCode::Shape, "b must have shape [2]", [] { checkAdd(of({2}), of({3})); });
  expectError(ErrorCode::DType, "b must be float32", [] { checkAdd(of({2}), of({2}, DType::Float16)); });
  expectError(ErrorCode::Shape, "2 dimensions [N, C] or 4", [] { checkSoftmax(of({2, 3, 4})); });
  checkTopK(of({2, 3}), 3);
  expectError(ErrorCode::Shape, "k is 4", [] { checkTopK(of({2, 3}), 4); });
  expectError(ErrorCode::DType, "topK: x", [] { checkTopK(of({2, 3}, DType::Int64), 1); });
}

}  // namespace
}  // namespace cudnn_resnet
