#include "cuda/plan.h"

#include <vector>

namespace cudnn_resnet::cuda {
namespace {

// A descriptor of cuDNN's backend, destroyed at the end.
std::shared_ptr<void> descriptor(cudnnBackendDescriptorType_t type) {
  cudnnBackendDescriptor_t created = nullptr;
  check(requireCudnn().createDescriptor(type, &created), "cudnnBackendCreateDescriptor");
  return {created, [](void* pointer) { requireCudnn().destroyDescriptor(pointer); }};
}

void set(const std::shared_ptr<void>& descriptor, cudnnBackendAttributeName_t name,
         cudnnBackendAttributeType_t type, size_t count, const void* values) {
  check(requireCudnn().setAttribute(descriptor.get(), name, type, static_cast<int64_t>(count), values),
        "cudnnBackendSetAttribute");
}

}  // namespace

Plan::Plan(CompiledGraph compiled) noexcept
    : owner_(std::move(compiled.owner)),
      plan_(compiled.plan),
      workspaceBytes_(static_cast<size_t>(compiled.workspaceBytes)) {}

Plan::Plan(const Target& target, const std::string& serialized)
    : owner_(descriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR)), plan_(owner_.get()) {
  set(owner_, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, serialized.size(),
      serialized.data());
  if (void* const device = target.descriptor(); device != nullptr) {
    set(owner_, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &device);
  } else {
    auto* const handle = target.handle();
    set(owner_, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &handle);
  }
  check(requireCudnn().finalize(plan_), "loading a plan of cuDNN");
  int64_t bytes = 0;
  int64_t count = 0;
  check(requireCudnn().getAttribute(plan_, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1,
                                    &count, &bytes),
        "the workspace of a plan of cuDNN");
  workspaceBytes_ = static_cast<size_t>(bytes);
}

void Plan::execute(cudnnHandle_t handle, std::span<const Binding> bindings, void* workspace) const {
  std::vector<int64_t> uids;
  std::vector<const void*> pointers;
  for (const Binding& binding : bindings) {
    uids.push_back(static_cast<int64_t>(binding.uid));
    pointers.push_back(binding.pointer);
  }
  const auto pack = descriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  set(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, uids.size(), uids.data());
  set(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, pointers.size(), pointers.data());
  set(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &workspace);
  check(requireCudnn().finalize(pack.get()), "binding tensors to a plan of cuDNN");
  checkOnDevice(requireCudnn().execute(handle, plan_, pack.get()), "running a plan of cuDNN");
}

}  // namespace cudnn_resnet::cuda
