// Activations in float64.
#pragma once

#include <algorithm>
#include <cmath>

#include "core/attributes.h"

namespace cudnn_resnet::test {

inline double activated(Activation activation, double x) {
  switch (activation) {
    case Activation::None:
      return x;
    case Activation::Relu:
      return std::max(x, 0.0);
    case Activation::Relu6:
      return std::clamp(x, 0.0, 6.0);
    case Activation::Sigmoid:
      return 1 / (1 + std::exp(-x));
    case Activation::Tanh:
      return std::tanh(x);
    case Activation::Gelu:
      return x * 0.5 * (1 + std::erf(x / std::sqrt(2.0)));
    case Activation::Swish:
      return x / (1 + std::exp(-x));
  }
  return x;
}

}  // namespace cudnn_resnet::test
