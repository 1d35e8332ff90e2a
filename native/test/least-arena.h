// What every plan of an arena is held to.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "core/arena-planner.h"

namespace cudnn_resnet::test {

// The most bytes that are needed at one moment: no plan can do with less.
inline size_t leastArena(const std::vector<Lifetime>& blocks) {
  size_t most = 0;
  for (const Lifetime& moment : blocks) {  // the most is reached where a block begins
    size_t needed = 0;
    for (const Lifetime& block : blocks) {
      needed += block.first <= moment.first && moment.first <= block.last ? block.bytes : 0;
    }
    most = std::max(most, needed);
  }
  return most;
}

}  // namespace cudnn_resnet::test
