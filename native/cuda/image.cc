#include "cuda/engine.h"
#include "kernels/normalize-image.h"

namespace cudnn_resnet::cuda {

void CudaEngine::normalizeImage(const ImageNormalization& normalization, Tensor& pixels, Tensor& y) {
  const auto* bytes = static_cast<const uint8_t*>(in(plain, pixels));
  // As the convolution after it wants it, in float32 a strict one.
  const Math math = mathOf(y.dtype);
  const bool last = convolvesChannelsLast(math);
  const Layout layout = last ? channelsLast(y.shape, channelsPerAccess(math)) : plain;
  kernels::NormalizeImage arguments{bytes, create(y, layout), y.shape[0], y.shape[2] * y.shape[3], last, {},
                                    {}};
  for (size_t i = 0; i < 3; ++i) {
    arguments.mean[i] = normalization.mean[i];
    arguments.deviation[i] = normalization.deviation[i];
  }
  kernels::normalizeImage(arguments, y.dtype, stream());
}

}  // namespace cudnn_resnet::cuda
