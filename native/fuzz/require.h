// What must hold of each input; the fuzzer keeps the input of which it does not.
#pragma once

#include <cstdlib>

namespace cudnn_resnet::fuzz {

inline void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

}  // namespace cudnn_resnet::fuzz
