#include "kernels/elements.cuh"
#include "kernels/grid.cuh"
#include "kernels/launch.h"
#include "kernels/pool.h"

namespace cudnn_resnet::kernels {
namespace {

// Of the result.
CUDNN_RESNET_HOST_DEVICE int64_t elements(const Pool& p) {
  return p.batch * p.channels * p.outputHeight * p.outputWidth;
}

// One access of the result per thread, in the order of the memory: neighbouring threads read neighbouring
// channels in NHWC, and neighbouring windows in C order, which is NHWC of one channel and as many images as
// planes.
template <typename T, int lanes>
__global__ void poolKernel(Pool p) {
  const auto* x = static_cast<const Vector<T, lanes>*>(p.x);
  auto* y = static_cast<Vector<T, lanes>*>(p.y);
  const int64_t accesses = p.channelsLast ? p.channels / lanes : 1;  // to a pixel
  forEach(elements(p) / lanes, [&](int64_t i) {
    const int64_t access = i % accesses;
    const int64_t pixel = i / accesses;
    const auto columns = p.columns.pixels(pixel % p.outputWidth);
    const auto rows = p.rows.pixels(pixel / p.outputWidth % p.outputHeight);
    const int64_t image = pixel / p.outputWidth / p.outputHeight;

    const bool max = p.kind == PoolKind::Max;
    float results[lanes];
    for (float& result : results) {
      result = max ? -INFINITY : 0;
    }
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      const int64_t line = (image * p.rows.extent + row) * p.columns.extent;
      for (int64_t column = columns.begin; column < columns.end; ++column) {
        const Vector<T, lanes> values = x[(line + column) * accesses + access];
#pragma unroll
        for (int lane = 0; lane < lanes; ++lane) {
          const float value = toFloat(values.values[lane]);
          if (!max) {
            results[lane] += value;
          } else if (value > results[lane] || isnan(value)) {  // NaN, once met, stays: nothing is greater
            results[lane] = value;
          }
        }
      }
    }
    const int64_t whole = p.rows.kernel * p.columns.kernel;
    const int64_t inside = (rows.end - rows.begin) * (columns.end - columns.begin);
    const auto divisor = static_cast<float>(p.kind == PoolKind::AverageIncludingPadding ? whole : inside);
    Vector<T, lanes> pooled;
#pragma unroll
    for (int lane = 0; lane < lanes; ++lane) {
      pooled.values[lane] = convert<T>(max ? results[lane] : results[lane] / divisor);
    }
    y[i] = pooled;
  });
}

}  // namespace

void pool(const Pool& p, DType dtype, cudaStream_t stream) {
  withFloat(dtype, [&](auto element) {
    using T = decltype(element);
    constexpr int lanes = Vector<T>::lanes;
    if (p.channelsLast && p.channels % lanes == 0 && aligned(p.x, 16) && aligned(p.y, 16)) {
      poolKernel<T, lanes><<<blocksFor(elements(p) / lanes), threadsPerBlock, 0, stream>>>(p);
    } else {
      poolKernel<T, 1><<<blocksFor(elements(p)), threadsPerBlock, 0, stream>>>(p);
    }
  });
  checkLaunch("pool");
}

}  // namespace cudnn_resnet::kernels
