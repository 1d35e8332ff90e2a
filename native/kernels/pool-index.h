// Which pixels a pooling window covers.
#pragma once

#include <cstdint>

#include "core/host-device.h"

namespace cudnn_resnet::kernels {

// Along one of the two directions of an image.
struct WindowIndex {
  int64_t extent, kernel, stride, padding;

  struct Range {
    int64_t begin, end;  // pixels inside the image
  };
  CUDNN_RESNET_HOST_DEVICE Range pixels(int64_t output) const {
    const int64_t first = output * stride - padding;
    const int64_t last = first + kernel;
    return {first < 0 ? 0 : first, last > extent ? extent : last};
  }
};

}  // namespace cudnn_resnet::kernels
