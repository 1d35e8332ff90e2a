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
  bool pure = false;     // it gives new tensors their values and does nothing else: need not run where no one
                         // wants these
  size_t hostBytes = 0;  // of the host's memory, that it holds while it waits
};

}  // namespace cudnn_resnet
