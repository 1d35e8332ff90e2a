#include "cuda/engine.h"
#include "kernels/normalize-image.h"

namespace cudnn_resnet::cuda {

void CudaEngine::normalizeImage(const ImageNormalization& normalization, Tensor& pixels, Tensor& y) {
  const auto* bytes = static_cast<const uint8_t*>(in(plain, pixels));
  // With the padding channels that the convolution after it wants: a pixel is one 16-byte store.
  const int64_t channels = channelsPerAccess(mathOf(y.dtype));
  kernels::NormalizeImage arguments{
      bytes, create(y, channelsLast(y.shape, channels)), pixels.size() / 3, channels, {}, {}};
  for (size_t i = 0; i < 3; ++i) {
    arguments.mean[i] = normalization.mean[i];
    arguments.deviation[i] = normalization.deviation[i];
  }
  kernels::normalizeImage(arguments, y.dtype, stream());
}

}  // namespace cudnn_resnet::cuda
