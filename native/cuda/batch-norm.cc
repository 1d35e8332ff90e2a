#include "kernels/batch-norm.h"

#include <array>

#include "cuda/engine.h"
#include "kernels/convert.h"
#include "kernels/elementwise.h"

namespace cudnn_resnet::cuda {
namespace {

const float* floatsOrNone(Tensor* parameter) {
  return parameter != nullptr ? static_cast<const float*>(storageOf(*parameter).data()) : nullptr;
}

float* floatsOf(const Block& block) { return static_cast<float*>(block.get()); }

}  // namespace

// In inference a batch norm is one multiplication and one addition per element: no work for a plan of cuDNN,
// which would be compiled for each shape.
void CudaEngine::batchNorm(const BatchNormInputs& inputs, Activation activation, Tensor& x, Tensor& y) {
  const int64_t channels = x.shape[1];
  const Block scale = allocate(channels, DType::Float32);
  const Block shift = allocate(channels, DType::Float32);
  kernels::batchNormParameters(
      {floatsOrNone(&inputs.mean), floatsOrNone(&inputs.variance), floatsOrNone(inputs.weight),
       floatsOrNone(inputs.bias), inputs.epsilon, floatsOf(scale), floatsOf(shift), channels},
      stream());
  const Layout layout = withoutPadding(x);
  const void* from = in(layout, x);
  const int64_t sideBySide = layout.channelsLast ? 1 : x.shape[2] * x.shape[3];
  kernels::elementwise({from, floatsOf(scale), floatsOf(shift), nullptr, create(y, layout), x.size(),
                        channels, sideBySide, activation},
                       x.dtype, stream());
}

void CudaEngine::batchNormTraining(const BatchNormInputs& inputs, double momentum, Tensor* batches, Tensor& x,
                                   Tensor& y) {
  if (!computes(x.dtype)) {
    Tensor wide(y.shape, DType::Float32);
    batchNormTraining(inputs, momentum, batches, *widened(&x), wide);
    cast(wide, y);
    return;
  }
  const int64_t channels = x.shape[1];
  const int64_t valuesPerChannel = x.size() / channels;
  const BatchNormGraph graph = batchNormGraph(mathOf(x.dtype), x.shape);
  const int64_t padded = graph.x[1];
  const Layout layout = channelsLast(x.shape);
  const Layout paddedLayout = channelsLast(x.shape, padded);

  const auto parameter = [&](Tensor* given, float absent) {
    Block block = allocate(padded, DType::Float32);
    kernels::fill(floatsOf(block), absent, padded, stream());
    if (given != nullptr) {
      write(*given, plain, block.get());
    }
    return block;
  };
  const Block scale = parameter(inputs.weight, 1);
  const Block bias = parameter(inputs.bias, 0);
  const Block mean = allocate(padded, DType::Float32);
  const Block inverseDeviation = allocate(padded, DType::Float32);
  const auto epsilon = static_cast<float>(inputs.epsilon);

  const void* from = in(paddedLayout, x);
  void* to = create(y, layout);
  Block wide;
  if (padded != channels) {
    wide = allocate(elementsIn(paddedLayout, x.shape), x.dtype);
    to = wide.get();
  }
  const std::array<Binding, 7> bindings{{{Uid::X, from},
                                         {Uid::Scale, scale.get()},
                                         {Uid::Bias, bias.get()},
                                         {Uid::Epsilon, &epsilon},
                                         {Uid::Y, to},
                                         {Uid::Mean, mean.get()},
                                         {Uid::InverseDeviation, inverseDeviation.get()}}};
  execute(plans_->require(graph), bindings);
  if (padded != channels) {
    kernels::copyRows({valuesPerChannel, channels, padded, channels}, to, storageOf(y).data(),
                      bytesPerElement(x.dtype), stream());
  }

  const auto perChannel = static_cast<double>(valuesPerChannel);
  kernels::moveRunningStatistics(
      {static_cast<float*>(storageOf(inputs.mean).data()),
       static_cast<float*>(storageOf(inputs.variance).data()),
       batches != nullptr ? static_cast<int64_t*>(storageOf(*batches).data()) : nullptr, floatsOf(mean),
       floatsOf(inverseDeviation), epsilon, momentum, perChannel / (perChannel - 1), channels},
      stream());
  storageOf(inputs.mean).changed();
  storageOf(inputs.variance).changed();
}

}  // namespace cudnn_resnet::cuda
