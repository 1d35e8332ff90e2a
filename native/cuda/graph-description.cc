#include "cuda/graph-description.h"

#include <array>

#include "core/error.h"
#include "core/shape-inference.h"

namespace cudnn_resnet::cuda {
namespace {

using cudnn_resnet::name;  // of a dtype
using cudnn_resnet::text;  // of a shape

std::string_view name(Math math) {
  constexpr std::array<std::string_view, 4> names{"f32", "tf32", "f16", "bf16"};
  return names[static_cast<size_t>(math)];
}

std::string_view name(Activation activation) {
  constexpr std::array<std::string_view, 7> names{"",      " relu", " relu6", " sigmoid",
                                                  " tanh", " gelu", " swish"};
  return names[static_cast<size_t>(activation)];
}

std::string pair(char letter, const Pair& pair) {
  return std::string(" ") + letter + std::to_string(pair[0]) + "," + std::to_string(pair[1]);
}

std::string textOf(const ConvGraph& graph) {
  const Conv2dAttributes& a = graph.attributes;
  std::string out = "conv ";
  out += name(graph.math);
  out += convolvesChannelsLast(graph.math) ? " nhwc" : " nchw";
  out += " x" + text(graph.x) + " w" + text(graph.weight);
  out += pair('s', a.stride) + pair('p', a.padding) + pair('d', a.dilation) + " g" + std::to_string(a.groups);
  out += graph.add ? " +add" : "";
  out += graph.bias ? " +bias" : "";
  out += name(a.activation);
  out += a.compute.tune ? " tuned" : "";
  return out;
}

std::string textOf(const BatchNormGraph& graph) {
  return "batch-norm " + std::string(name(graph.math)) + " x" + text(graph.x);
}

}  // namespace

Math mathOf(DType dtype, const ComputeOptions& compute) {
  switch (dtype) {
    case DType::Float16:
      return Math::Float16;
    case DType::BFloat16:
      return Math::BFloat16;
    case DType::Float32:
      return compute.tf32 ? Math::TF32 : Math::Float32;
    default:
      throw Error(ErrorCode::DType, "cuDNN computes with no " + std::string(name(dtype)));
  }
}

bool convolvesChannelsLast(Math math) { return math != Math::Float32; }

int64_t channelsPerAccess(Math math) {
  if (!convolvesChannelsLast(math)) {
    return 1;
  }
  return math == Math::TF32 ? 4 : 8;
}

ConvGraph convGraph(Math math, const Conv2dAttributes& attributes, const Shape& x, const Shape& weight,
                    bool bias, bool add) {
  ConvGraph graph{math, x, weight, attributes, bias, add};
  const int64_t few = channelsPerAccess(math);
  if (attributes.groups == 1 && x[1] > 1 && x[1] < few) {
    graph.x[1] = few;
    graph.weight[1] = few;
  }
  return graph;
}

ConvGraph linearGraph(Math math, const LinearAttributes& attributes, const Shape& x, const Shape& weight,
                      bool bias) {
  Conv2dAttributes a;
  a.activation = attributes.activation;
  a.compute = attributes.compute;
  return {math, {x[0], x[1], 1, 1}, {weight[0], weight[1], 1, 1}, a, bias, false};
}

bool isFused(const ConvGraph& graph) {
  const Activation activation = graph.attributes.activation;
  if (graph.math != Math::Float32) {
    return activation != Activation::Relu6;
  }
  const bool nothing = !graph.bias && !graph.add && activation == Activation::None;
  return nothing || (graph.bias && (activation == Activation::None || activation == Activation::Relu));
}

ConvGraph convolutionAlone(const ConvGraph& graph) {
  ConvGraph alone = graph;
  alone.bias = false;
  alone.add = false;
  alone.attributes.activation = Activation::None;
  return alone;
}

BatchNormGraph batchNormGraph(Math math, const Shape& x) {
  return {math, {x[0], (x[1] + 7) / 8 * 8, x[2], x[3]}};
}

bool isTuned(const GraphDescription& description) {
  const auto* conv = std::get_if<ConvGraph>(&description);
  return conv != nullptr && conv->attributes.compute.tune;
}

std::string text(const GraphDescription& description) {
  return std::visit([](const auto& graph) { return textOf(graph); }, description);
}

Shape outputShape(const ConvGraph& graph) {
  const Conv2dAttributes& a = graph.attributes;
  Shape y{graph.x[0], graph.weight[0], 0, 0};
  for (size_t i = 0; i < 2; ++i) {
    y[2 + i] = slidingExtent(graph.x[2 + i], graph.weight[2 + i], a.stride[i], a.padding[i], a.dilation[i]);
  }
  return y;
}

}  // namespace cudnn_resnet::cuda
