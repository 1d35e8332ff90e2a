#include "kernels/elementwise.h"

#include "kernels/elements.cuh"
#include "kernels/grid.cuh"
#include "kernels/launch.h"

namespace cudnn_resnet::kernels {
namespace {

__device__ float computed(const Elementwise& a, float x, float add, int64_t channel) {
  if (a.scale != nullptr) {
    x *= a.scale[channel];
  }
  if (a.shift != nullptr) {
    x += a.shift[channel];
  }
  return activated(a.activation, a.add != nullptr ? x + add : x);
}

template <typename T>
__global__ void elementwiseKernel(Elementwise a) {
  const auto* x = static_cast<const T*>(a.x);
  const auto* add = static_cast<const T*>(a.add);
  auto* y = static_cast<T*>(a.y);
  forEach(a.count, [&](int64_t i) {
    const int64_t channel = i / a.sideBySide % a.channels;
    y[i] = convert<T>(computed(a, toFloat(x[i]), add != nullptr ? toFloat(add[i]) : 0, channel));
  });
}

// 16 bytes per access: of as many channels as there are lanes, or of one, or without parameters.
template <typename T>
__global__ void elementwiseVectorKernel(Elementwise a) {
  constexpr int lanes = Vector<T>::lanes;
  const auto* x = static_cast<const Vector<T>*>(a.x);
  const auto* add = static_cast<const Vector<T>*>(a.add);
  auto* y = static_cast<Vector<T>*>(a.y);
  forEach(a.count / lanes, [&](int64_t i) {
    Vector<T> value = x[i];
    const Vector<T> addend = add != nullptr ? add[i] : value;
    const int64_t first = i * lanes / a.sideBySide % a.channels;
#pragma unroll
    for (int lane = 0; lane < lanes; ++lane) {
      const int64_t channel = a.sideBySide == 1 ? first + lane : first;
      value.values[lane] =
          convert<T>(computed(a, toFloat(value.values[lane]), toFloat(addend.values[lane]), channel));
    }
    y[i] = value;
  });
}

}  // namespace

void elementwise(const Elementwise& a, DType dtype, cudaStream_t stream) {
  withFloat(dtype, [&](auto element) {
    using T = decltype(element);
    constexpr int lanes = Vector<T>::lanes;
    const bool parameters = a.scale != nullptr || a.shift != nullptr;
    const bool whole = (a.sideBySide == 1 ? a.channels : a.sideBySide) % lanes == 0;
    const bool vector = a.count % lanes == 0 && (!parameters || whole) && aligned(a.x, 16) &&
                        aligned(a.y, 16) && aligned(a.add, 16);
    if (vector) {
      elementwiseVectorKernel<T><<<blocksFor(a.count / lanes), threadsPerBlock, 0, stream>>>(a);
    } else {
      elementwiseKernel<T><<<blocksFor(a.count), threadsPerBlock, 0, stream>>>(a);
    }
  });
  checkLaunch("elementwise");
}

}  // namespace cudnn_resnet::kernels
