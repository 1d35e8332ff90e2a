// Which engines this binary holds.
#include "core/backend.h"

#ifdef CUDNN_RESNET_CPU
#include "cpu/backend.h"
#endif
#ifdef CUDNN_RESNET_CUDA
#include "cuda/backend.h"
#endif

namespace cudnn_resnet {

const std::vector<Backend>& backends() {
  static const std::vector<Backend> found = [] {
    std::vector<Backend> list;
#ifdef CUDNN_RESNET_CUDA
    list.push_back(cuda::backend());
#endif
#ifdef CUDNN_RESNET_CPU
    list.push_back(cpu::backend());
#endif
    return list;
  }();
  return found;
}

}  // namespace cudnn_resnet
