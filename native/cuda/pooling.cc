#include <array>

#include "cuda/engine.h"
#include "kernels/pool.h"

namespace cudnn_resnet::cuda {

void CudaEngine::pool2d(const Pool2dAttributes& a, Tensor& x, Tensor& y) {
  const void* from = in(channelsLast(x.shape), x);
  void* to = create(y, channelsLast(y.shape));
  if (const auto graph = poolGraph(mathOf(x.dtype), a, x.shape); graph && computes(x.dtype)) {
    if (const Plan* plan = plans_->find(*graph)) {
      execute(*plan, std::array<Binding, 2>{{{Uid::X, from}, {Uid::Y, to}}});
      return;
    }
  }
  kernels::pool({from,
                 to,
                 x.shape[0],
                 x.shape[1],
                 y.shape[2],
                 y.shape[3],
                 {x.shape[2], a.kernel[0], a.stride[0], a.padding[0]},
                 {x.shape[3], a.kernel[1], a.stride[1], a.padding[1]},
                 a.kind},
                x.dtype, stream());
}

}  // namespace cudnn_resnet::cuda
