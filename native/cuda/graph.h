// CUDA's graphs: work that is captured once and launched by one call.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>
#include <memory>
#include <type_traits>

namespace cudnn_resnet::cuda {

struct ExecutableGraphEnd {
  void operator()(cudaGraphExec_t executable) const noexcept { cudaGraphExecDestroy(executable); }
};
using ExecutableGraph = std::unique_ptr<std::remove_pointer_t<cudaGraphExec_t>, ExecutableGraphEnd>;

// What `work` puts into the stream, of which nothing runs yet. It must not wait, nor have the stream wait for
// another that is not part of it.
[[nodiscard]] ExecutableGraph captured(cudaStream_t stream, const std::function<void()>& work);

}  // namespace cudnn_resnet::cuda
