#include "core/attributes.h"

#include <utility>

namespace cudnn_resnet {

std::optional<Activation> activationNamed(std::string_view name) noexcept {
  constexpr std::array<std::pair<std::string_view, Activation>, 6> names{{{"relu", Activation::Relu},
                                                                          {"relu6", Activation::Relu6},
                                                                          {"sigmoid", Activation::Sigmoid},
                                                                          {"tanh", Activation::Tanh},
                                                                          {"gelu", Activation::Gelu},
                                                                          {"swish", Activation::Swish}}};
  for (const auto& [known, activation] : names) {
    if (known == name) {
      return activation;
    }
  }
  return std::nullopt;
}

}  // namespace cudnn_resnet
