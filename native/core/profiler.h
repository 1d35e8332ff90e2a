// What the operations took that were submitted to a device while it was profiled.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/engine.h"

namespace cudnn_resnet {

struct Timing {
  std::string layer;
  std::string operation;
  std::vector<Shape> inputs, outputs;
  double begin, end;  // milliseconds since the profile began
};

class Profiler : public std::enable_shared_from_this<Profiler> {
 public:
  using Run = std::function<void(Engine&)>;

  // Of the operations that are submitted next. Only the thread of JavaScript touches it.
  std::string layer;

  // `run`, which also notes what it took until the engine had computed it.
  [[nodiscard]] Run timed(std::string operation, const std::vector<TensorPtr>& inputs,
                          const std::vector<TensorPtr>& outputs, Run run);

  // Only the queue's thread touches it.
  std::vector<Timing> timings;

 private:
  using Clock = std::chrono::steady_clock;
  [[nodiscard]] double now() const;

  Clock::time_point begin_ = Clock::now();
};

}  // namespace cudnn_resnet
