#include "cuda/planning-engine.h"

#include <chrono>
#include <cstring>
#include <vector>

#include "core/error.h"
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

void keepNothing(Tensor& y) { y.storage = std::make_unique<Storage>(); }

}  // namespace

PlanningEngine::PlanningEngine(const PlanningOptions& options)
    : options_(options), target_(targetFor(options)), files_(filesFor(options)) {}

PlanningEngine::Finding PlanningEngine::find(const GraphDescription& graph) const {
  Finding finding;
  finding.graph.graph = text(graph);
  const auto begin = std::chrono::steady_clock::now();
  try {
    const CompiledGraph compiled = compile(target_, graph, 1).front();
    finding.graph.engine = compiled.engine;
    finding.graph.workspaceBytes = static_cast<uint64_t>(compiled.workspaceBytes);
    finding.plan = compiled.serialize();
    if (finding.plan) {
      (void)Plan(target_, *finding.plan);  // cuDNN takes it back
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

bool PlanningEngine::planned(const GraphDescription& graph) {
  const std::string name = text(graph);
  if (const auto known = planned_.find(name); known != planned_.end()) {
    return known->second;
  }
  const Finding finding = find(graph);
  if (files_ && finding.plan) {
    files_->write(name, *finding.plan);
  }
  const bool accepted = finding.graph.refusal.empty();
  planned_.emplace(name, accepted);
  options_.report(finding.graph);
  return accepted;
}

Math PlanningEngine::math(DType dtype, const ComputeOptions& compute) const {
  const bool computes = dtype != DType::BFloat16 || computesBFloat16(options_.capability);
  return mathOf(computes ? dtype : DType::Float32, compute);
}

void PlanningEngine::planConvolution(const ConvGraph& graph) {
  if (!isFused(graph) || !planned(graph)) {
    planned(convolutionAlone(graph));
  }
}

void PlanningEngine::conv2d(const Conv2dAttributes& attributes, Tensor& x, Tensor& weight, Tensor* bias,
                            Tensor* add, Tensor& y) {
  planConvolution(convGraph(math(x.dtype, attributes.compute), attributes, x.shape, weight.shape,
                            bias != nullptr, add != nullptr));
  keepNothing(y);
}

void PlanningEngine::linear(const LinearAttributes& attributes, Tensor& x, Tensor& weight, Tensor* bias,
                            Tensor& y) {
  planConvolution(
      linearGraph(math(x.dtype, attributes.compute), attributes, x.shape, weight.shape, bias != nullptr));
  keepNothing(y);
}

void PlanningEngine::batchNormTraining(const BatchNormInputs& /*inputs*/, double /*momentum*/,
                                       Tensor* /*batches*/, Tensor& x, Tensor& y) {
  planned(batchNormGraph(math(x.dtype), x.shape));
  keepNothing(y);
}

// What is computed without cuDNN.
void PlanningEngine::uploadFrom(const Reader& /*read*/, Tensor& y) { keepNothing(y); }
Arrival PlanningEngine::fetch(Tensor& x, void* data) {
  std::memset(data, 0, x.bytes());
  return {};
}
void PlanningEngine::zeros(Tensor& y) { keepNothing(y); }
void PlanningEngine::cast(Tensor& /*x*/, Tensor& y) { keepNothing(y); }
void PlanningEngine::reshape(Tensor& /*x*/, Tensor& y) { keepNothing(y); }
void PlanningEngine::copy(Tensor& /*x*/, Tensor& y) {
  if (!y.storage) {
    keepNothing(y);
  }
}
void PlanningEngine::alias(Tensor& /*x*/, Tensor& y) { keepNothing(y); }
void PlanningEngine::batchNorm(const BatchNormInputs& /*inputs*/, Activation /*activation*/, Tensor& /*x*/,
                               Tensor& y) {
  keepNothing(y);
}
void PlanningEngine::activate(Activation /*activation*/, Tensor& /*x*/, Tensor& y) { keepNothing(y); }
void PlanningEngine::add(Activation /*activation*/, Tensor& /*a*/, Tensor& /*b*/, Tensor& y) {
  keepNothing(y);
}
void PlanningEngine::pool2d(const Pool2dAttributes& /*attributes*/, Tensor& /*x*/, Tensor& y) {
  keepNothing(y);
}
void PlanningEngine::softmax(Tensor& /*x*/, Tensor& y) { keepNothing(y); }
void PlanningEngine::normalizeImage(const ImageNormalization& /*normalization*/, Tensor& /*pixels*/,
                                    Tensor& y) {
  keepNothing(y);
}
Arrival PlanningEngine::topK(Tensor& x, int64_t k, TopK& best) {
  const auto count = static_cast<size_t>(x.shape[0] * k);
  best = {std::vector<int64_t>(count), std::vector<float>(count)};
  return {};
}

}  // namespace cudnn_resnet::cuda
