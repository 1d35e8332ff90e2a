#ifdef CUDNN_RESNET_CUDA

#include <gtest/gtest.h>

#include <utility>

#include "core/error.h"
#include "cuda/graph-description.h"
#include "cuda/layout.h"

namespace cudnn_resnet::cuda {
namespace {

TEST(GraphDescription, PadsTheFewChannelsOfAnImage) {
  const Conv2dAttributes attributes;
  EXPECT_EQ(convGraph(Math::Float16, attributes, {1, 3, 9, 9}, {5, 3, 3, 3}, false, false).x[1], 8);
  EXPECT_EQ(convGraph(Math::Float16, attributes, {1, 3, 9, 9}, {5, 3, 3, 3}, false, false).weight[1], 8);
  EXPECT_EQ(convGraph(Math::TF32, attributes, {1, 3, 9, 9}, {5, 3, 3, 3}, false, false).x[1], 4);
  EXPECT_EQ(convGraph(Math::Float32, attributes, {1, 3, 9, 9}, {5, 3, 3, 3}, false, false).x[1], 3);
  EXPECT_EQ(convGraph(Math::BFloat16, attributes, {1, 9, 9, 9}, {5, 9, 3, 3}, false, false).x[1], 9);
  EXPECT_EQ(convGraph(Math::Float16, attributes, {1, 1, 9, 9}, {5, 1, 3, 3}, false, false).x[1], 1);
  Conv2dAttributes grouped;
  grouped.groups = 3;
  EXPECT_EQ(convGraph(Math::Float16, grouped, {1, 3, 9, 9}, {6, 1, 3, 3}, false, false).x[1], 3);
}

TEST(GraphDescription, NormalisesChannelsByEights) {
  for (const auto& [channels, padded] : {std::pair{1, 8}, std::pair{8, 8}, std::pair{9, 16}}) {
    EXPECT_EQ(batchNormGraph(Math::Float16, {2, channels, 5, 7}).x, (Shape{2, padded, 5, 7}));
  }
}

TEST(GraphDescription, TellsGraphsApart) {
  ConvGraph graph;
  graph.x = {1, 64, 56, 56};
  graph.weight = {64, 64, 3, 3};
  EXPECT_EQ(text(graph), "conv f32 nchw x[1, 64, 56, 56] w[64, 64, 3, 3] s1,1 p0,0 d1,1 g1");
  ConvGraph other = graph;
  other.bias = true;
  EXPECT_NE(text(graph), text(other));
  other = graph;
  other.attributes.activation = Activation::Relu6;
  EXPECT_NE(text(graph), text(other));
  other = graph;
  other.math = Math::TF32;
  EXPECT_NE(text(graph), text(other));
  other = graph;
  other.attributes.compute.tune = true;
  EXPECT_NE(text(graph), text(other));
  EXPECT_TRUE(isTuned(other));
  EXPECT_FALSE(isTuned(graph));
}

TEST(GraphDescription, MultipliesWithTF32WhereThatIsAllowed) {
  EXPECT_EQ(mathOf(DType::Float32), Math::Float32);
  EXPECT_EQ(mathOf(DType::Float32, {.tf32 = true}), Math::TF32);
  EXPECT_EQ(mathOf(DType::Float16, {.tf32 = true}), Math::Float16);
  EXPECT_THROW((void)mathOf(DType::Int64), Error);
}

TEST(GraphDescription, FusesWhatFastEnginesKnow) {
  const auto fused = [](Math math, bool bias, bool add, Activation activation) {
    ConvGraph graph{math, {1, 8, 9, 9}, {8, 8, 3, 3}, {}, bias, add};
    graph.attributes.activation = activation;
    return isFused(graph);
  };
  EXPECT_TRUE(fused(Math::Float32, true, true, Activation::Relu));
  EXPECT_TRUE(fused(Math::Float32, true, false, Activation::None));
  EXPECT_TRUE(fused(Math::Float32, false, false, Activation::None)) << "nothing follows";
  EXPECT_FALSE(fused(Math::Float32, false, true, Activation::Relu));
  EXPECT_FALSE(fused(Math::Float32, true, false, Activation::Tanh));
  EXPECT_FALSE(fused(Math::TF32, true, false, Activation::Relu6));
  EXPECT_TRUE(fused(Math::TF32, false, true, Activation::Tanh));
  EXPECT_FALSE(fused(Math::Float16, false, true, Activation::Relu6));
  EXPECT_TRUE(fused(Math::BFloat16, true, true, Activation::Gelu));
}

TEST(GraphDescription, GivesTheShapeOfAResult) {
  Conv2dAttributes attributes;
  attributes.stride = {2, 1};
  attributes.padding = {1, 2};
  attributes.dilation = {2, 1};
  const ConvGraph conv = convGraph(Math::Float32, attributes, {2, 4, 13, 11}, {5, 4, 3, 3}, false, false);
  EXPECT_EQ(outputShape(conv), (Shape{2, 5, 6, 13}));
}

TEST(Layout, IsCOrderWhereThatIsTheSame) {
  EXPECT_EQ(channelsLast({2, 8, 1, 1}), plain);
  EXPECT_EQ(channelsLast({2, 1, 5, 5}), plain);
  EXPECT_NE(channelsLast({2, 8, 5, 5}), plain);
  EXPECT_NE(channelsLast({2, 3, 1, 1}, 8), plain);
  EXPECT_EQ(elementsIn(channelsLast({2, 3, 5, 5}, 8), {2, 3, 5, 5}), 2 * 8 * 25);
  EXPECT_EQ(elementsIn(plain, {2, 3, 5, 5}), 2 * 3 * 25);
}

}  // namespace
}  // namespace cudnn_resnet::cuda

#endif
