// Activations, the addition of two tensors and the scaling of one: what works element by element.
#include "kernels/elementwise.h"

#include "cuda/engine.h"
#include "kernels/scale-slices.h"

namespace cudnn_resnet::cuda {

void CudaEngine::activate(Activation activation, Tensor& x, Tensor& y) {
  const Layout layout = withoutPadding(x);
  const void* from = in(layout, x);
  kernels::elementwise({from, nullptr, nullptr, nullptr, create(y, layout), x.size(), 1, 1, activation},
                       x.dtype, stream());
}

void CudaEngine::add(Activation activation, Tensor& a, Tensor& b, Tensor& y) {
  const Layout layout = withoutPadding(a);
  const void* first = in(layout, a);
  const void* second = in(layout, b);
  kernels::elementwise({first, nullptr, nullptr, second, create(y, layout), a.size(), 1, 1, activation},
                       a.dtype, stream());
}

void CudaEngine::scaleSlices(const std::vector<double>& factors, Tensor& x, Tensor& y) {
  void* to = create(y, plain);
  write(x, plain, to);
  const auto count = static_cast<int64_t>(factors.size());
  Tensor onDevice({count}, DType::Float64);
  upload(factors.data(), onDevice);
  kernels::scaleSlices({to, static_cast<const double*>(storageOf(onDevice).data()), count, x.size() / count},
                       x.dtype, stream());
}

}  // namespace cudnn_resnet::cuda
