#include "binding/planner.h"

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "binding/device-handle.h"
#include "binding/environment.h"
#include "binding/options.h"
#include "binding/to-array.h"
#include "core/backend.h"

namespace cudnn_resnet {
namespace {

// What the thread of the queue has found out and JavaScript has not taken yet.
class Findings {
 public:
  void add(const PlannedGraph& graph) {
    const std::lock_guard lock(mutex_);
    graphs_.push_back(graph);
  }
  [[nodiscard]] std::vector<PlannedGraph> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(graphs_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<PlannedGraph> graphs_;
};

Napi::Object described(Napi::Env env, const PlannedGraph& graph) {
  Napi::Object entry = Napi::Object::New(env);
  entry.Set("graph", graph.graph);
  entry.Set("engine", graph.engine);
  entry.Set("refusal", graph.refusal);
  entry.Set("workspaceBytes", static_cast<double>(graph.workspaceBytes));
  entry.Set("bytes", static_cast<double>(graph.bytes));
  entry.Set("seconds", graph.seconds);
  return entry;
}

}  // namespace

Napi::Value openPlanner(const Napi::CallbackInfo& info) {
  const Options options(info[0], "openPlanner");
  const auto findings = std::make_shared<Findings>();
  PlanningOptions planning;
  planning.properties = string(options.get("properties"), options.what("properties"));
  planning.capability = static_cast<int>(options.integer("capability", 1, 0));
  planning.multiprocessors = static_cast<int>(options.integer("multiprocessors", 1, 0));
  planning.folder = string(options.get("folder"), options.what("folder"));
  planning.report = [findings](const PlannedGraph& graph) { findings->add(graph); };

  for (const Backend& backend : backends()) {
    if (backend.planner) {
      Napi::Object planner = Napi::Object::New(info.Env());
      planner.Set("device", DeviceHandle::wrap(info.Env(),
                                               Environment::of(info.Env()).open(backend.planner(planning))));
      planner.Set("planned", Napi::Function::New(
                                 info.Env(),
                                 [findings](const Napi::CallbackInfo& call) -> Napi::Value {
                                   return toArray(call.Env(), findings->take(), [&](const auto& graph) {
                                     return described(call.Env(), graph);
                                   });
                                 },
                                 "planned"));
      return planner;
    }
  }
  throw Error(
      ErrorCode::Device,
      "plans are compiled by the CUDA engine, and this addon was built without it; diagnose() says what "
      "it was built with");
}

}  // namespace cudnn_resnet
