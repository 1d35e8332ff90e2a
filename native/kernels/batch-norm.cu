#include "kernels/batch-norm.h"

#include "kernels/grid.cuh"
#include "kernels/launch.h"

namespace cudnn_resnet::kernels {
namespace {

// There are few channels, so that float64 costs nothing, also where a GPU has little of it.
__global__ void parametersKernel(BatchNormParameters p) {
  forEach(p.channels, [&](int64_t c) {
    const double weight = p.weight != nullptr ? p.weight[c] : 1;
    const double bias = p.bias != nullptr ? p.bias[c] : 0;
    const double scale = weight / sqrt(static_cast<double>(p.variance[c]) + p.epsilon);
    p.scale[c] = static_cast<float>(scale);
    p.shift[c] = static_cast<float>(bias - p.mean[c] * scale);
  });
}

__global__ void runningStatisticsKernel(RunningStatistics p) {
  forEach(p.channels, [&](int64_t c) {
    const double inverse = p.batchInverseDeviation[c];
    const double rounded = 1 / (inverse * inverse) - p.epsilon;
    const double variance = rounded < 0 ? 0 : rounded;  // NaN stays NaN
    p.mean[c] = static_cast<float>((1 - p.momentum) * p.mean[c] + p.momentum * p.batchMean[c]);
    p.variance[c] = static_cast<float>((1 - p.momentum) * p.variance[c] + p.momentum * p.unbiased * variance);
    if (c == 0 && p.batches != nullptr) {
      ++*p.batches;
    }
  });
}

__global__ void fillKernel(float* values, float value, int64_t count) {
  forEach(count, [&](int64_t i) { values[i] = value; });
}

}  // namespace

void batchNormParameters(const BatchNormParameters& p, cudaStream_t stream) {
  parametersKernel<<<blocksFor(p.channels), threadsPerBlock, 0, stream>>>(p);
  checkLaunch("batchNormParameters");
}

void moveRunningStatistics(const RunningStatistics& p, cudaStream_t stream) {
  runningStatisticsKernel<<<blocksFor(p.channels), threadsPerBlock, 0, stream>>>(p);
  checkLaunch("moveRunningStatistics");
}

void fill(float* values, float value, int64_t count, cudaStream_t stream) {
  fillKernel<<<blocksFor(count), threadsPerBlock, 0, stream>>>(values, value, count);
  checkLaunch("fill");
}

}  // namespace cudnn_resnet::kernels
