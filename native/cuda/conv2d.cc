// Convolution, with what follows it fused, and the linear layer as the convolution of a 1×1 image.
#include <vector>

#include "cuda/engine.h"
#include "kernels/elementwise.h"

namespace cudnn_resnet::cuda {

void CudaEngine::conv2d(const Conv2dAttributes& attributes, Tensor& x, Tensor& weight, Tensor* bias,
                        Tensor* add, Tensor& y) {
  if (!computes(x.dtype)) {
    Tensor wide(y.shape, DType::Float32);
    conv2d(attributes, *widened(&x), *widened(&weight), bias, widened(add).get(), wide);
    cast(wide, y);
    return;
  }
  const ConvGraph graph = convGraph(mathOf(x.dtype, attributes.compute), attributes, x.shape, weight.shape,
                                    bias != nullptr, add != nullptr);
  const auto layoutOf = [last = convolvesChannelsLast(graph.math)](const Shape& shape, int64_t channels) {
    return last ? channelsLast(shape, channels) : plain;
  };
  ConvPointers pointers{};
  pointers.x = in(layoutOf(x.shape, graph.x[1]), x);
  pointers.weight = in(layoutOf(weight.shape, graph.weight[1]), weight);
  pointers.bias = bias;
  const Layout layout = layoutOf(y.shape, y.shape[1]);
  Block copy;
  if ((add == &x || add == &weight) && storageOf(*add).layout() != layout) {
    // In another layout than it is convolved in: changing that would free the memory that pointers has of it.
    copy = allocate(add->size(), add->dtype);
    write(*add, layout, copy.get());
    pointers.add = copy.get();
  } else if (add != nullptr) {
    pointers.add = in(layout, *add);
  }
  pointers.y = create(y, layout);
  runConv(graph, x.dtype, pointers);
}

void CudaEngine::linear(const LinearAttributes& attributes, Tensor& x, Tensor& weight, Tensor* bias,
                        Tensor& y) {
  if (!computes(x.dtype)) {
    Tensor wide(y.shape, DType::Float32);
    linear(attributes, *widened(&x), *widened(&weight), bias, wide);
    cast(wide, y);
    return;
  }
  const ConvGraph graph =
      linearGraph(mathOf(x.dtype, attributes.compute), attributes, x.shape, weight.shape, bias != nullptr);
  ConvPointers pointers{};
  pointers.x = in(plain, x);
  pointers.weight = in(plain, weight);
  pointers.bias = bias;
  pointers.y = create(y, plain);
  runConv(graph, x.dtype, pointers);
}

void CudaEngine::runConv(const ConvGraph& graph, DType dtype, const ConvPointers& pointers) {
  const auto bind = [&](const ConvGraph& bound) {
    std::vector<Binding> bindings{{Uid::X, pointers.x}, {Uid::Weight, pointers.weight}, {Uid::Y, pointers.y}};
    if (bound.bias) {
      bindings.push_back({Uid::Bias, biasIn(dtype, *pointers.bias)});
    }
    if (bound.add) {
      bindings.push_back({Uid::Add, pointers.add});
    }
    return bindings;
  };
  const auto timer = [&](const ConvGraph& timed) {
    return [&](const Plan& plan) { return time(plan, bind(timed)); };
  };
  if (const Plan* fused = isFused(graph) ? plans_->find(graph, timer(graph)) : nullptr) {
    execute(*fused, bind(graph));
    return;
  }
  const ConvGraph alone = convolutionAlone(graph);
  execute(plans_->require(alone, timer(alone)), bind(alone));
  const Shape y = outputShape(graph);
  const int64_t sideBySide = convolvesChannelsLast(graph.math) ? 1 : y[2] * y[3];
  const void* bias = pointers.bias != nullptr ? biasIn(DType::Float32, *pointers.bias) : nullptr;
  kernels::elementwise({pointers.y, nullptr, static_cast<const float*>(bias), pointers.add, pointers.y,
                        elements(y), y[1], sideBySide, graph.attributes.activation},
                       dtype, stream());
}

}  // namespace cudnn_resnet::cuda
