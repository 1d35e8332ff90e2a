#include "bench/clock.h"

#include <chrono>

namespace cudnn_resnet::bench {

double HostClock::measure(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace cudnn_resnet::bench
