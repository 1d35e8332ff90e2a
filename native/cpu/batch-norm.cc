#include "cpu/engine.h"

namespace cudnn_resnet::cpu {

using dnnl::normalization_flags;

void CpuEngine::batchNorm(const BatchNormInputs& inputs, Activation activation, Tensor& x, Tensor& y) {
  const bool apart = rectifiesHalves(activation, y.dtype);
  runBatchNorm(inputs, true, view(inputs.mean), view(inputs.variance), apart ? Activation::None : activation,
               x, y);
  if (apart) {
    rectifyHalves(activation, y);
  }
}

void CpuEngine::batchNormTraining(const BatchNormInputs& inputs, double momentum, Tensor* batches, Tensor& x,
                                  Tensor& y) {
  const Layout layout = plain(inputs.mean.shape, DType::Float32);
  const Buffer mean = allocate(layout);
  const Buffer variance = allocate(layout);
  runBatchNorm(inputs, false, view(mean), view(variance), Activation::None, x, y);

  const auto perChannel = static_cast<double>(x.size()) / static_cast<double>(x.shape[1]);
  const auto move = [&](Tensor& running, const Buffer& batch, double scale) {
    auto* to = static_cast<float*>(view(running).get_data_handle());
    const auto* from = static_cast<const float*>(batch.block.get());
    for (int64_t c = 0; c < running.size(); ++c) {
      to[c] = static_cast<float>((1 - momentum) * to[c] + momentum * scale * from[c]);
    }
  };
  move(inputs.mean, mean, 1);
  move(inputs.variance, variance, perChannel / (perChannel - 1));
  if (batches != nullptr) {
    ++*static_cast<int64_t*>(storageOf(*batches).data());
  }
}

void CpuEngine::runBatchNorm(const BatchNormInputs& inputs, bool global, const dnnl::memory& mean,
                             const dnnl::memory& variance, Activation activation, Tensor& x, Tensor& y) {
  const Layout layout = currentLayout(x);
  const auto epsilon = static_cast<float>(inputs.epsilon);
  const auto key = Key('b')
                       .with(global)
                       .with(epsilon)
                       .with(inputs.weight != nullptr)
                       .with(inputs.bias != nullptr)
                       .with(layout);
  const auto& primitive = compiled(key.text(), [&]() -> Compiled {
    auto flags = global ? normalization_flags::use_global_stats : normalization_flags::none;
    if (inputs.weight != nullptr) {
      flags |= normalization_flags::use_scale;
    }
    if (inputs.bias != nullptr) {
      flags |= normalization_flags::use_shift;
    }
    const auto kind = global ? prop_kind::forward_inference : prop_kind::forward_training;
    const auto chosen = describeBatchNorm(engine_, attributes(), kind, layout, epsilon, flags);
    return {dnnl::batch_normalization_forward(chosen), layout, {}, layout, chosen.scratchpad_desc()};
  });

  Buffer held;
  Buffer result = allocate(layout);
  Arguments arguments{{DNNL_ARG_SRC, in(layout, x, held)},
                      {DNNL_ARG_MEAN, mean},
                      {DNNL_ARG_VARIANCE, variance},
                      {DNNL_ARG_DST, view(result)}};
  if (inputs.weight != nullptr) {
    arguments[DNNL_ARG_SCALE] = view(*inputs.weight);
  }
  if (inputs.bias != nullptr) {
    arguments[DNNL_ARG_SHIFT] = view(*inputs.bias);
  }
  execute(primitive, std::move(arguments));
  if (activation != Activation::None) {
    runEltwise(activation, view(result), view(result));
  }
  store(std::move(result), y);
}

}  // namespace cudnn_resnet::cpu
