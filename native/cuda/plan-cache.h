// The plans of an engine, by what they compute: in memory, and behind that in files.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/caching-allocator.h"
#include "cuda/plan-files.h"
#include "cuda/plan.h"
#include "cuda/stream.h"

namespace cudnn_resnet::cuda {

class PlanCache {
 public:
  // Of the plans that run in `stream`. `identity` says which plans fit: see planIdentity(). Where making a
  // plan wants memory that is not there, `allocator` gives back what it keeps.
  PlanCache(cudnnHandle_t handle, const Stream& stream, CachingAllocator& allocator,
            const std::string& identity);

  // The milliseconds that a plan takes; none where it cannot run.
  using Measure = std::function<std::optional<float>(const Plan&)>;

  // nullptr where cuDNN has no plan for the graph, which is remembered too. A graph that is tuned is measured
  // where no file has its plan.
  const Plan* find(const GraphDescription& graph, const Measure& measure = {});
  // As find(); throws Error(Backend) with what cuDNN says where there is no plan.
  const Plan& require(const GraphDescription& graph, const Measure& measure = {});

  // Looks in this folder too, and first.
  void alsoRead(const std::string& folder);

 private:
  struct Entry {
    std::optional<Plan> plan;
    std::string refusal;
  };
  // A plan that cuDNN names for a graph, and as it is written to a file, where it can be.
  struct Candidate {
    Plan plan;
    std::optional<std::string> serialized;
  };
  const Entry& entry(const GraphDescription& graph, const Measure& measure);
  Entry make(const std::string& key, const GraphDescription& graph, const Measure& measure);
  // From a file.
  std::optional<Plan> kept(const std::string& key);
  std::vector<Candidate> candidates(const GraphDescription& graph);

  cudnnHandle_t handle_;
  const Stream& stream_;
  CachingAllocator& allocator_;
  std::string identity_;
  std::vector<PlanFiles> given_;
  std::optional<PlanFiles> files_;  // none where there is no folder for them
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace cudnn_resnet::cuda
