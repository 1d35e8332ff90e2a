#include "cuda/engine.h"
#include "kernels/pool.h"

namespace cudnn_resnet::cuda {

void CudaEngine::pool2d(const Pool2dAttributes& a, Tensor& x, Tensor& y) {
  const Layout layout = withoutPadding(x);
  const void* from = in(layout, x);
  kernels::pool({from,
                 create(y, layout.channelsLast ? channelsLast(y.shape) : plain),
                 x.shape[0],
                 x.shape[1],
                 y.shape[2],
                 y.shape[3],
                 layout.channelsLast,
                 {x.shape[2], a.kernel[0], a.stride[0], a.padding[0]},
                 {x.shape[3], a.kernel[1], a.stride[1], a.padding[1]},
                 a.kind},
                x.dtype, stream());
}

}  // namespace cudnn_resnet::cuda
