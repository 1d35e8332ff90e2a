#include "kernels/elements.cuh"
#include "kernels/grid.cuh"
#include "kernels/launch.h"
#include "kernels/pool.h"

namespace cudnn_resnet::kernels {
namespace {

// One output element per thread, in the order of the memory: neighbouring threads read neighbouring channels
// in NHWC, and neighbouring windows in C order, which is NHWC of one channel and as many images as there are
// planes.
template <typename T>
__global__ void poolKernel(Pool p) {
  const auto* x = static_cast<const T*>(p.x);
  const int64_t count = p.batch * p.outputHeight * p.outputWidth * p.channels;
  forEach(count, [&](int64_t i) {
    const int64_t channels = p.channelsLast ? p.channels : 1;
    const int64_t channel = i % channels;
    const int64_t pixel = i / channels;
    const auto columns = p.columns.pixels(pixel % p.outputWidth);
    const auto rows = p.rows.pixels(pixel / p.outputWidth % p.outputHeight);
    const int64_t image = pixel / p.outputWidth / p.outputHeight;

    const bool max = p.kind == PoolKind::Max;
    float result = max ? -INFINITY : 0;
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      const int64_t line = (image * p.rows.extent + row) * p.columns.extent;
      for (int64_t column = columns.begin; column < columns.end; ++column) {
        const float value = toFloat(x[(line + column) * channels + channel]);
        if (max) {
          result =
              value > result || isnan(value) ? value : result;  // NaN, once met, stays: nothing is greater
        } else {
          result += value;
        }
      }
    }
    if (p.kind == PoolKind::AverageIncludingPadding) {
      result /= static_cast<float>(p.rows.kernel * p.columns.kernel);
    } else if (p.kind == PoolKind::AverageExcludingPadding) {
      result /= static_cast<float>((rows.end - rows.begin) * (columns.end - columns.begin));
    }
    static_cast<T*>(p.y)[i] = convert<T>(result);
  });
}

}  // namespace

void pool(const Pool& p, DType dtype, cudaStream_t stream) {
  const int64_t count = p.batch * p.outputHeight * p.outputWidth * p.channels;
  withFloat(dtype, [&](auto element) {
    poolKernel<decltype(element)><<<blocksFor(count), threadsPerBlock, 0, stream>>>(p);
  });
  checkLaunch("pool");
}

}  // namespace cudnn_resnet::kernels
