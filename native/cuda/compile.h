// From a description to a plan that cuDNN can run. compile.cc is the one file that includes cudnn-frontend,
// which takes the better part of a minute to compile.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cuda/graph-description.h"

struct cudnnContext;  // what a cudnnHandle_t points to

namespace cudnn_resnet::cuda {

// The GPU that plans are for: the one of a handle, or one that need not be there, known by its properties.
class Target {
 public:
  explicit Target(cudnnContext* handle) noexcept : handle_(handle) {}
  // As JSON, with the keys that cuDNN gives in its own description of a device. Throws Error(Backend) where
  // cuDNN does not accept them.
  explicit Target(const std::string& deviceProperties);

  struct Properties;
  [[nodiscard]] cudnnContext* handle() const noexcept { return handle_; }
  [[nodiscard]] const std::shared_ptr<const Properties>& properties() const noexcept { return properties_; }
  // A cudnnBackendDescriptor_t of the properties; nullptr of the GPU of a handle.
  [[nodiscard]] void* descriptor() const noexcept;

 private:
  cudnnContext* handle_ = nullptr;
  std::shared_ptr<const Properties> properties_;
};

// The properties of a GPU that is there, as Target takes them. Throws Error(Backend).
[[nodiscard]] std::string describeDevice(int device);

struct CompiledGraph {
  std::shared_ptr<void> owner;  // keeps `plan` alive: cudnn-frontend's ExecutionPlan
  void* plan = nullptr;         // a cudnnBackendDescriptor_t of an execution plan
  int64_t workspaceBytes = 0;
  std::string engine;  // which of cuDNN's engines, and its settings

  // The plan as cuDNN writes it, for a file; none where cuDNN cannot write plans of this engine.
  [[nodiscard]] std::optional<std::string> serialize() const;
};

// The plans that cuDNN thinks best, best first: at least one, and at most `most`. Throws Error(Backend) with
// what it says where it has none for the graph.
[[nodiscard]] std::vector<CompiledGraph> compile(const Target& target, const GraphDescription& description,
                                                 size_t most);

}  // namespace cudnn_resnet::cuda
