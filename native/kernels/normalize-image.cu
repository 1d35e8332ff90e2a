#include "kernels/normalize-image.h"

#include "kernels/elements.cuh"
#include "kernels/grid.cuh"
#include "kernels/launch.h"

namespace cudnn_resnet::kernels {
namespace {

__device__ float normalized(const NormalizeImage& p, int64_t pixel, int channel) {
  return (static_cast<float>(p.bytes[pixel * 3 + channel]) / 255.0F - p.mean[channel]) / p.deviation[channel];
}

template <typename T>
__global__ void planesKernel(NormalizeImage p) {
  forEach(p.images * p.pixels, [&](int64_t pixel) {
    auto* y = static_cast<T*>(p.y) + pixel / p.pixels * 3 * p.pixels + pixel % p.pixels;
    for (int channel = 0; channel < 3; ++channel) {
      y[channel * p.pixels] = convert<T>(normalized(p, pixel, channel));
    }
  });
}

// A pixel is one 16-byte store.
template <typename T>
__global__ void channelsLastKernel(NormalizeImage p) {
  auto* y = static_cast<Vector<T>*>(p.y);
  forEach(p.images * p.pixels, [&](int64_t pixel) {
    Vector<T> result;
#pragma unroll
    for (int channel = 0; channel < Vector<T>::lanes; ++channel) {
      result.values[channel] = convert<T>(channel < 3 ? normalized(p, pixel, channel) : 0.0F);
    }
    y[pixel] = result;
  });
}

}  // namespace

void normalizeImage(const NormalizeImage& p, DType dtype, cudaStream_t stream) {
  withFloat(dtype, [&](auto element) {
    using T = decltype(element);
    const auto kernel = p.channelsLast ? channelsLastKernel<T> : planesKernel<T>;
    kernel<<<blocksFor(p.images * p.pixels), threadsPerBlock, 0, stream>>>(p);
  });
  checkLaunch("normalizeImage");
}

}  // namespace cudnn_resnet::kernels
