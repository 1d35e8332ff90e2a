// The plans of an engine, by what they compute: in memory, and behind that in files.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>

#include "cuda/plan-files.h"
#include "cuda/plan.h"

namespace cudnn_resnet::cuda {

class PlanCache {
 public:
  // `files` may be none.
  PlanCache(cudnnHandle_t handle, std::optional<PlanFiles> files);

  // nullptr where cuDNN has no plan for the graph, which is remembered too.
  const Plan* find(const GraphDescription& graph);
  // As find(); throws Error(Backend) with what cuDNN says where there is no plan.
  const Plan& require(const GraphDescription& graph);

 private:
  struct Entry {
    std::optional<Plan> plan;
    std::string refusal;
  };
  const Entry& entry(const GraphDescription& graph);
  Entry make(const std::string& key, const GraphDescription& graph);

  cudnnHandle_t handle_;
  std::optional<PlanFiles> files_;
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace cudnn_resnet::cuda
