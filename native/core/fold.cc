#include "core/fold.h"

#include <cmath>
#include <cstddef>
#include <vector>

namespace cudnn_resnet {
namespace {

std::vector<double> values(Engine& engine, Tensor& x) {
  std::vector<std::byte> raw(x.bytes());
  engine.download(x, raw.data());
  std::vector<double> out(static_cast<size_t>(x.size()));
  convertElements(raw.data(), x.dtype, out.data(), DType::Float64, out.size());
  return out;
}

void write(Engine& engine, const std::vector<double>& from, Tensor& y) {
  std::vector<std::byte> raw(y.bytes());
  convertElements(from.data(), DType::Float64, raw.data(), y.dtype, from.size());
  engine.upload(raw.data(), y);
}

}  // namespace

void foldBatchNorm(Engine& engine, const BatchNormInputs& batchNorm, Tensor& weight, Tensor* bias,
                   Tensor& foldedWeight, Tensor& foldedBias) {
  const auto channels = static_cast<size_t>(weight.shape[0]);
  const auto mean = values(engine, batchNorm.mean);
  const auto variance = values(engine, batchNorm.variance);
  const auto gamma =
      batchNorm.weight != nullptr ? values(engine, *batchNorm.weight) : std::vector(channels, 1.0);
  const auto beta = batchNorm.bias != nullptr ? values(engine, *batchNorm.bias) : std::vector(channels, 0.0);
  auto shift = bias != nullptr ? values(engine, *bias) : std::vector(channels, 0.0);
  std::vector<double> scale(channels);
  for (size_t c = 0; c < channels; ++c) {
    scale[c] = gamma[c] / std::sqrt(variance[c] + batchNorm.epsilon);
    shift[c] = (shift[c] - mean[c]) * scale[c] + beta[c];
  }
  engine.scaleSlices(scale, weight, foldedWeight);
  write(engine, shift, foldedBias);
}

}  // namespace cudnn_resnet
