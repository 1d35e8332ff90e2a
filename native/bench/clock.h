// How long an engine takes for something.
#pragma once

#include <functional>
#include <memory>

#include "core/engine.h"

namespace cudnn_resnet::bench {

class Clock {
 public:
  Clock() = default;
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  virtual ~Clock() = default;

  // The seconds that one call of `work` takes; it may call it several times.
  virtual double measure(const std::function<void()>& work) = 0;
};

// For an engine that computes while it is called.
class HostClock : public Clock {
 public:
  double measure(const std::function<void()>& work) override;
};

#ifdef CUDNN_RESNET_CUDA
// CUDA's events in the stream of an engine on cuDNN.
[[nodiscard]] std::unique_ptr<Clock> cudaClock(Engine& engine);
// Bytes of the L2 cache of the GPU in use.
[[nodiscard]] size_t cudaCacheBytes();
#endif

}  // namespace cudnn_resnet::bench
