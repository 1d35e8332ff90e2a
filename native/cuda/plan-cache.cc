#include "cuda/plan-cache.h"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/warn.h"
#include "cuda/error.h"

namespace cudnn_resnet::cuda {
namespace {

// Large enough for every graph of a few networks at a few input shapes.
constexpr size_t mostPlans = 2048;

// What cuDNN ranks lower is seldom the fastest.
constexpr size_t mostTimed = 8;

std::optional<PlanFiles> cacheFor(const std::string& identity) {
  // Some versions of cuDNN take a plan only where the driver is as it was when they made it.
  int driver = 0;
  cudaDriverGetVersion(&driver);
  const auto folder = defaultPlanFolder();
  return folder.empty() ? std::nullopt
                        : std::optional<PlanFiles>(std::in_place, folder,
                                                   identity + " driver " + std::to_string(driver), warn);
}

// The fastest, where it is faster by more than what chance does to a measurement; else the first that could
// be measured, as cuDNN names the best first; none where none could be.
template <typename Candidates>
std::optional<size_t> fastest(const Candidates& candidates, const PlanCache::Measure& measure) {
  constexpr float clearly = 0.97F;
  std::optional<size_t> best;
  std::optional<float> bestTime;
  for (size_t i = 0; i < candidates.size(); ++i) {
    const auto time = measure(candidates[i].plan);
    if (time && (!bestTime || *time < *bestTime * clearly)) {
      best = i;
      bestTime = time;
    }
  }
  return best;
}

}  // namespace

PlanCache::PlanCache(cudnnHandle_t handle, const Stream& stream, CachingAllocator& allocator,
                     const std::string& identity)
    : handle_(handle),
      stream_(stream),
      allocator_(allocator),
      identity_(identity),
      files_(cacheFor(identity)) {}

void PlanCache::alsoRead(const std::string& folder) {
  const auto same = [&](const PlanFiles& files) { return files.folder() == folder; };
  if (std::any_of(given_.begin(), given_.end(), same)) {
    return;
  }
  PlanFiles files(folder, identity_, warn, PlanFiles::Use::Given);
  if (const std::string problem = files.unfit(); !problem.empty()) {
    warn(problem);
  }
  given_.push_back(std::move(files));
}

std::optional<Plan> PlanCache::kept(const std::string& key) {
  const auto in = [&](PlanFiles& files) -> std::optional<Plan> {
    const auto serialized = files.read(key);
    if (!serialized) {
      return std::nullopt;
    }
    try {
      return Plan(Target(handle_), *serialized);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::Backend) {
        throw;
      }
      checkDevice("loading a plan of cuDNN");
      files.discard(key, std::string("is not accepted by cuDNN: ") + error.what());
      return std::nullopt;
    }
  };
  for (PlanFiles& files : given_) {
    if (auto plan = in(files)) {
      return plan;
    }
  }
  return files_ ? in(*files_) : std::nullopt;
}

std::vector<PlanCache::Candidate> PlanCache::candidates(const GraphDescription& graph) {
  std::vector<Candidate> found;
  for (CompiledGraph& compiled : compile(Target(handle_), graph, isTuned(graph) ? mostTimed : 1)) {
    auto serialized = compiled.serialize();
    found.push_back({Plan(std::move(compiled)), std::move(serialized)});
  }
  return found;
}

PlanCache::Entry PlanCache::make(const std::string& key, const GraphDescription& graph,
                                 const Measure& measure) {
  if (auto plan = kept(key)) {
    return {std::move(plan), {}};
  }
  std::vector<Candidate> found;
  try {
    found = candidates(graph);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::Backend) {
      throw;
    }
    checkDevice("compiling a plan of cuDNN");
    return {std::nullopt, error.what()};
  }
  const std::optional<size_t> best = found.size() > 1 ? fastest(found, measure) : 0;
  Candidate& chosen = found[best.value_or(0)];
  // One that could not be measured is for this process: the next may be able to.
  if (files_ && best && chosen.serialized) {
    files_->write(key, *chosen.serialized);
  }
  return {std::move(chosen.plan), {}};
}

const PlanCache::Entry& PlanCache::entry(const GraphDescription& graph, const Measure& measure) {
  const std::string key = text(graph);
  if (const auto found = entries_.find(key); found != entries_.end()) {
    return found->second;
  }
  if (entries_.size() >= mostPlans) {
    stream_.synchronize();  // their code may be running
    entries_.clear();
  }
  Entry made = allocator_.withRoom([&] { return make(key, graph, measure); });
  return entries_.emplace(key, std::move(made)).first->second;
}

const Plan* PlanCache::find(const GraphDescription& graph, const Measure& measure) {
  const Entry& found = entry(graph, measure);
  return found.plan ? &*found.plan : nullptr;
}

const Plan& PlanCache::require(const GraphDescription& graph, const Measure& measure) {
  const Entry& found = entry(graph, measure);
  if (!found.plan) {
    throw Error(ErrorCode::Backend, found.refusal);
  }
  return *found.plan;
}

}  // namespace cudnn_resnet::cuda
