#include "kernels/softmax.h"

#include "kernels/block-reduce.cuh"
#include "kernels/elements.cuh"
#include "kernels/launch.h"

namespace cudnn_resnet::kernels {
namespace {

// A block per row.
template <typename T>
__global__ void softmaxKernel(const T* __restrict__ x, T* __restrict__ y, int64_t rows, int64_t columns) {
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const T* from = x + row * columns;
    Scalar greatest{-INFINITY};
    for (int64_t i = threadIdx.x; i < columns; i += blockDim.x) {
      greatest.value = fmaxf(greatest.value, toFloat(from[i]));
    }
    greatest = blockReduce(greatest, [](Scalar a, Scalar b) { return Scalar{fmaxf(a.value, b.value)}; });
    Scalar sum{0};
    for (int64_t i = threadIdx.x; i < columns; i += blockDim.x) {
      sum.value += expf(toFloat(from[i]) - greatest.value);
    }
    sum = blockReduce(sum, [](Scalar a, Scalar b) { return Scalar{a.value + b.value}; });
    for (int64_t i = threadIdx.x; i < columns; i += blockDim.x) {
      y[row * columns + i] = convert<T>(expf(toFloat(from[i]) - greatest.value) / sum.value);
    }
  }
}

}  // namespace

void softmax(const void* x, void* y, int64_t rows, int64_t columns, DType dtype, cudaStream_t stream) {
  // Few columns keep few threads busy; a warp is the least that blockReduce takes.
  const unsigned threads = columns <= 32 ? 32 : columns <= 128 ? 128 : threadsPerBlock;
  withFloat(dtype, [&](auto element) {
    using T = decltype(element);
    softmaxKernel<T>
        <<<gridOf(rows), threads, 0, stream>>>(static_cast<const T*>(x), static_cast<T*>(y), rows, columns);
  });
  checkLaunch("softmax");
}

}  // namespace cudnn_resnet::kernels
