// The order of top-k: NaN before everything, then greater values, and of equal ones the lower index.
#pragma once

#include <cstdint>

#include "core/host-device.h"

namespace cudnn_resnet {

struct Ranked {
  float value;
  int64_t index;  // -1: nothing, which comes after all

  CUDNN_RESNET_HOST_DEVICE bool isNaN() const { return value != value; }

  CUDNN_RESNET_HOST_DEVICE bool precedes(const Ranked& other) const {
    if (index < 0 || other.index < 0) {
      return other.index < 0 && index >= 0;
    }
    if (isNaN() || other.isNaN()) {
      return isNaN() && (!other.isNaN() || index < other.index);
    }
    return value != other.value ? value > other.value : index < other.index;
  }
};

}  // namespace cudnn_resnet
