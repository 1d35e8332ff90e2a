// Folds a batch norm in inference into the convolution before it.
#pragma once

#include "core/engine.h"

namespace cudnn_resnet {

// convolution(x, foldedWeight) + foldedBias = batchNorm(convolution(x, weight) + bias). Computed in float64,
// scale and shift on the host, and rounded once; it runs once per change of a parameter. foldedWeight has the
// dtype of weight; foldedBias is float32 [out].
void foldBatchNorm(Engine& engine, const BatchNormInputs& batchNorm, Tensor& weight, Tensor* bias,
                   Tensor& foldedWeight, Tensor& foldedBias);

}  // namespace cudnn_resnet
