// One step for an engine.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/engine.h"
#include "core/tensor.h"

namespace cudnn_resnet {

struct Operation {
  std::vector<TensorPtr> inputs;   // the first error among these is passed on to the outputs
  std::vector<TensorPtr> outputs;  // given a storage by `run`, or an error
  std::function<void(Engine&)> run;
  bool recordable = true;  // not where it changes tensors in place, or looks at values on the host
  std::string name{};      // for a profile
};

}  // namespace cudnn_resnet
