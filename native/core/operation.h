// One step for an engine.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/cancellation.h"
#include "core/engine.h"
#include "core/tensor.h"

namespace cudnn_resnet {

struct Operation {
  std::vector<TensorPtr> inputs;   // the first error among these is passed on to the outputs
  std::vector<TensorPtr> outputs;  // given a storage by `run`, or an error
  std::function<void(Engine&)> run;
  bool pure = false;     // it gives new tensors their values and does nothing else
  size_t hostBytes = 0;  // of the host's memory, that it holds while it waits
  std::string name{};    // for a profile
};

// An operation on its way through the queue.
struct QueuedOperation {
  QueuedOperation(Operation submitted, const Cancellation& all)
      : operation(std::move(submitted)), cancellation(&all) {}
  Operation operation;
  Cancellation cancellation;
};

}  // namespace cudnn_resnet
