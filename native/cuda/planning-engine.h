// An engine for a GPU that need not be there: it computes nothing and compiles the plans that CudaEngine
// would ask for.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "core/backend.h"
#include "cuda/compile.h"
#include "cuda/listening-engine.h"
#include "cuda/made-ahead.h"
#include "cuda/plan-files.h"

namespace cudnn_resnet::cuda {

class PlanningEngine : public ListeningEngine {
 public:
  explicit PlanningEngine(const PlanningOptions& options);

  // Captures nothing: compiles what `work` asks for on several threads.
  std::unique_ptr<Replay> capture(const Work& work) override;

 protected:
  // One that cuDNN refuses is reported, and planning goes on.
  bool planned(const GraphDescription& graph) override;

 private:
  struct Finding {
    PlannedGraph graph;
    std::optional<std::string> plan;  // for a file
  };
  [[nodiscard]] static Finding find(const Target& target, const GraphDescription& graph);

  PlanningOptions options_;
  Target target_;
  std::optional<PlanFiles> files_;
  std::unordered_map<std::string, bool> planned_;  // by graph, and whether cuDNN had a plan
  MadeAhead<Finding>* ahead_ = nullptr;            // while capture() runs
};

}  // namespace cudnn_resnet::cuda
