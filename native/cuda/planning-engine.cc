#include "cuda/planning-engine.h"

#include <chrono>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/exchanged.h"
#include "cuda/backend.h"
#include "cuda/cudnn-library.h"
#include "cuda/driver.h"
#include "cuda/plan.h"

namespace cudnn_resnet::cuda {
namespace {

std::optional<PlanFiles> filesFor(const PlanningOptions& options) {
  if (options.folder.empty()) {
    return std::nullopt;
  }
  const CudnnLibrary& library = requireCudnn();
  return PlanFiles(
      options.folder,
      planIdentity(library.versionText, library.cudaVersion, options.capability, options.multiprocessors),
      [](const std::string& message) { throw Error(ErrorCode::Argument, message); }, PlanFiles::Use::Cache,
      UINT64_MAX);
}

// cuDNN asks the driver for nothing when it plans for a device that is described to it, but wants one to be
// there.
Target targetFor(const PlanningOptions& options) {
  (void)requireCudnn();
  requireDriver();
  return Target(options.properties);
}

}  // namespace

PlanningEngine::PlanningEngine(const PlanningOptions& options)
    : ListeningEngine(computesBFloat16(options.capability)),
      options_(options),
      target_(targetFor(options)),
      files_(filesFor(options)) {}

PlanningEngine::Finding PlanningEngine::find(const Target& target, const GraphDescription& graph) {
  Finding finding;
  finding.graph.graph = text(graph);
  const auto begin = std::chrono::steady_clock::now();
  try {
    const CompiledGraph compiled = compile(target, graph, 1).front();
    finding.graph.engine = compiled.engine;
    finding.graph.workspaceBytes = static_cast<uint64_t>(compiled.workspaceBytes);
    finding.plan = compiled.serialize();
    if (finding.plan) {
      (void)Plan(target, *finding.plan);  // cuDNN takes it back
    }
    finding.graph.bytes = finding.plan ? finding.plan->size() : 0;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::Backend) {
      throw;
    }
    finding.graph.refusal = error.what();
    finding.plan.reset();  // where it was made and is not taken back
  }
  finding.graph.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return finding;
}

std::unique_ptr<Replay> PlanningEngine::capture(const Work& work) {
  std::vector<MadeAhead<Finding>::Item> items;
  for (const GraphDescription& graph : graphsOf(work, bfloat16())) {
    if (!planned_.contains(text(graph))) {
      items.push_back({text(graph), [&, graph] { return find(Target(options_.properties), graph); }});
    }
  }
  MadeAhead<Finding> ahead(std::move(items));
  const Exchanged<MadeAhead<Finding>*> running(ahead_, &ahead);
  work(*this);
  return nullptr;
}

bool PlanningEngine::planned(const GraphDescription& graph) {
  const std::string name = text(graph);
  if (const auto found = planned_.find(name); found != planned_.end()) {
    return found->second;
  }
  std::optional<Finding> finding = ahead_ != nullptr ? ahead_->take(name) : std::nullopt;
  if (!finding) {
    finding = find(target_, graph);
  }
  if (files_ && finding->plan) {
    files_->write(name, *finding->plan);
  }
  const bool accepted = finding->graph.refusal.empty();
  planned_.emplace(name, accepted);
  options_.report(finding->graph);
  return accepted;
}

}  // namespace cudnn_resnet::cuda
