// The small per-channel steps of batch norm; values are float32 [channels].
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace cudnn_resnet::kernels {

// scale = weight / sqrt(variance + epsilon), shift = bias - mean · scale; weight is 1 and bias 0 where
// nullptr.
struct BatchNormParameters {
  const float *mean, *variance, *weight, *bias;
  double epsilon;
  float *scale, *shift;
  int64_t channels;
};
void batchNormParameters(const BatchNormParameters& arguments, cudaStream_t stream);

// Moves the running statistics towards those of the batch, whose variance is given as 1 / sqrt(variance +
// epsilon) and is multiplied by `unbiased`. `batches` counts one more, unless it is nullptr.
struct RunningStatistics {
  float *mean, *variance;
  int64_t* batches;
  const float *batchMean, *batchInverseDeviation;
  double epsilon, momentum, unbiased;
  int64_t channels;
};
void moveRunningStatistics(const RunningStatistics& arguments, cudaStream_t stream);

void fill(float* values, float value, int64_t count, cudaStream_t stream);

}  // namespace cudnn_resnet::kernels
