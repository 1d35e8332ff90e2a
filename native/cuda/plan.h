// A graph that cuDNN can run on the device that it was compiled for.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "cuda/compile.h"
#include "cuda/cudnn-library.h"
#include "cuda/graph-description.h"

namespace cudnn_resnet::cuda {

// What stands for a tensor of the graph: memory of the device, or a float of the host for Uid::Epsilon.
struct Binding {
  Uid uid;
  const void* pointer;
};

class Plan {
 public:
  explicit Plan(CompiledGraph compiled) noexcept;
  // Of what CompiledGraph::serialize() gave. Throws Error(Backend) where cuDNN does not accept it for the
  // target. One that was loaded for a GPU that need not be there can not be run.
  Plan(const Target& target, const std::string& serialized);

  [[nodiscard]] size_t workspaceBytes() const noexcept { return workspaceBytes_; }

  // In the order of the handle's stream. `workspace` holds workspaceBytes().
  void execute(cudnnHandle_t handle, std::span<const Binding> bindings, void* workspace) const;

 private:
  std::shared_ptr<void> owner_;
  cudnnBackendDescriptor_t plan_ = nullptr;
  size_t workspaceBytes_ = 0;
};

}  // namespace cudnn_resnet::cuda
