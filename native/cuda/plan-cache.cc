#include "cuda/plan-cache.h"

#include <utility>

#include "core/error.h"

namespace cudnn_resnet::cuda {
namespace {

// Large enough for every graph of a few networks at a few input shapes.
constexpr size_t mostPlans = 2048;

}  // namespace

PlanCache::PlanCache(cudnnHandle_t handle, std::optional<PlanFiles> files)
    : handle_(handle), files_(std::move(files)) {}

PlanCache::Entry PlanCache::make(const std::string& key, const GraphDescription& graph) {
  if (files_) {
    if (const auto kept = files_->read(key)) {
      try {
        return {Plan(handle_, *kept), {}};
      } catch (const Error& error) {
        if (error.code() != ErrorCode::Backend) {
          throw;
        }
        files_->discard(key, std::string("is not accepted by cuDNN: ") + error.what());
      }
    }
  }
  CompiledGraph compiled;
  try {
    compiled = compile(Target(handle_), graph);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::Backend) {
      throw;
    }
    return {std::nullopt, error.what()};
  }
  if (files_) {
    if (const auto serialized = compiled.serialize()) {
      files_->write(key, *serialized);
    }
  }
  return {Plan(std::move(compiled)), {}};
}

const PlanCache::Entry& PlanCache::entry(const GraphDescription& graph) {
  const std::string key = text(graph);
  if (const auto found = entries_.find(key); found != entries_.end()) {
    return found->second;
  }
  if (entries_.size() >= mostPlans) {
    entries_.clear();
  }
  return entries_.emplace(key, make(key, graph)).first->second;
}

const Plan* PlanCache::find(const GraphDescription& graph) {
  const Entry& found = entry(graph);
  return found.plan ? &*found.plan : nullptr;
}

const Plan& PlanCache::require(const GraphDescription& graph) {
  const Entry& found = entry(graph);
  if (!found.plan) {
    throw Error(ErrorCode::Backend, found.refusal);
  }
  return *found.plan;
}

}  // namespace cudnn_resnet::cuda
