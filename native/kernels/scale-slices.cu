#include "kernels/elements.cuh"
#include "kernels/grid.cuh"
#include "kernels/launch.h"
#include "kernels/scale-slices.h"

namespace cudnn_resnet::kernels {
namespace {

__device__ inline void fromDouble(double value, float& to) { to = static_cast<float>(value); }
__device__ inline void fromDouble(double value, __half& to) { to = __double2half(value); }
__device__ inline void fromDouble(double value, __nv_bfloat16& to) { to = __double2bfloat16(value); }

template <typename T>
__global__ void scaleSlicesKernel(T* values, const double* factors, int64_t size, int64_t total) {
  forEach(total, [&](int64_t i) { fromDouble(toFloat(values[i]) * factors[i / size], values[i]); });
}

}  // namespace

void scaleSlices(const Slices& s, DType dtype, cudaStream_t stream) {
  const int64_t total = s.count * s.size;
  withFloat(dtype, [&](auto element) {
    using T = decltype(element);
    scaleSlicesKernel<T><<<blocksFor(total), threadsPerBlock, 0, stream>>>(static_cast<T*>(s.values),
                                                                           s.factors, s.size, total);
  });
  checkLaunch("scaleSlices");
}

}  // namespace cudnn_resnet::kernels
