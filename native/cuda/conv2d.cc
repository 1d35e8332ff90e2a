// Convolution, with what follows it fused, and the linear layer as the convolution of a 1×1 image.
#include <vector>

#include "cuda/engine.h"
#include "kernels/elementwise.h"

namespace cudnn_resnet::cuda {
namespace {

// The channels that x and weight have in memory. cuDNN's engines for Tensor Cores read 16 bytes at a time;
// the few channels of an image are padded to that, which costs less than reading them one by one. Larger odd
// numbers are left to the engines that can.
int64_t channelsInMemory(int64_t channels, int64_t groups, DType dtype) {
  const auto lanes = static_cast<int64_t>(16 / bytesPerElement(dtype));
  return groups == 1 && channels > 1 && channels < lanes ? lanes : channels;
}

Shape withChannels(Shape shape, int64_t channels) {
  shape[1] = channels;
  return shape;
}

}  // namespace

void CudaEngine::conv2d(const Conv2dAttributes& attributes, Tensor& x, Tensor& weight, Tensor* bias,
                        Tensor* add, Tensor& y) {
  const int64_t channels = channelsInMemory(x.shape[1], attributes.groups, x.dtype);
  const int64_t perGroup = attributes.groups == 1 ? channels : weight.shape[1];
  ConvGraph graph;
  graph.math = math(x.dtype);
  graph.x = withChannels(x.shape, channels);
  graph.weight = withChannels(weight.shape, perGroup);
  graph.attributes = attributes;
  graph.bias = bias != nullptr;
  graph.add = add != nullptr;

  ConvPointers pointers{};
  pointers.x = in(channelsLast(x.shape, channels), x);
  pointers.weight = in(channelsLast(weight.shape, perGroup), weight);
  pointers.bias = bias != nullptr ? floats(*bias) : nullptr;
  pointers.add = add != nullptr ? in(channelsLast(y.shape), *add) : nullptr;
  pointers.y = create(y, channelsLast(y.shape));
  runConv(std::move(graph), x.dtype, pointers);
}

void CudaEngine::linear(Activation activation, Tensor& x, Tensor& weight, Tensor* bias, Tensor& y) {
  ConvGraph graph;
  graph.math = math(x.dtype);
  graph.x = {x.shape[0], x.shape[1], 1, 1};
  graph.weight = {weight.shape[0], weight.shape[1], 1, 1};
  graph.attributes.activation = activation;
  graph.bias = bias != nullptr;

  ConvPointers pointers{};
  pointers.x = in(plain, x);
  pointers.weight = in(plain, weight);
  pointers.bias = bias != nullptr ? floats(*bias) : nullptr;
  pointers.y = create(y, plain);
  runConv(std::move(graph), x.dtype, pointers);
}

void CudaEngine::runConv(ConvGraph graph, DType dtype, const ConvPointers& pointers) {
  const auto bind = [&](const ConvGraph& bound) {
    std::vector<Binding> bindings{{Uid::X, pointers.x}, {Uid::Weight, pointers.weight}, {Uid::Y, pointers.y}};
    if (bound.bias) {
      bindings.push_back({Uid::Bias, pointers.bias});
    }
    if (bound.add) {
      bindings.push_back({Uid::Add, pointers.add});
    }
    return bindings;
  };
  if (const Plan* fused = plans_->find(graph)) {
    execute(*fused, bind(graph));
    return;
  }
  ConvGraph alone = graph;
  alone.bias = false;
  alone.add = false;
  alone.attributes.activation = Activation::None;
  execute(plans_->require(alone), bind(alone));
  const Shape shape = outputShape(graph);
  kernels::elementwise({pointers.y, nullptr, pointers.bias, pointers.add, pointers.y, elements(shape),
                        shape[1], graph.attributes.activation},
                       dtype, stream());
}

}  // namespace cudnn_resnet::cuda
