#include "kernels/top-k.h"

#include <memory>
#include <vector>

#include "core/top-k.h"
#include "cuda/engine.h"
#include "kernels/convert.h"

namespace cudnn_resnet::cuda {

Arrival CudaEngine::topK(Tensor& x, int64_t k, TopK& best) {
  const int64_t columns = x.shape[1];
  const auto count = static_cast<size_t>(x.shape[0] * k);
  if (k > kernels::largestTopK) {  // it would take the kernel many passes
    const auto floats = std::make_shared<Block>(allocate(x.size(), DType::Float32));
    kernels::cast(in(plain, x), x.dtype, floats->get(), DType::Float32, x.size(), stream());
    return arrival([floats, rows = x.shape[0], columns, k, &best](Staging& staging) {
      std::vector<float> scores(static_cast<size_t>(rows * columns));
      staging.download(floats->get(), scores.data(), scores.size() * sizeof(float));
      best = topKOnHost(scores.data(), rows, columns, k);
    });
  }
  const auto indices = std::make_shared<Block>(allocate(x.shape[0] * k, DType::Int64));
  const auto values = std::make_shared<Block>(allocate(x.shape[0] * k, DType::Float32));
  kernels::topK({in(plain, x), x.shape[0], columns, k, static_cast<int64_t*>(indices->get()),
                 static_cast<float*>(values->get())},
                x.dtype, stream());
  return arrival([indices, values, count, &best](Staging& staging) {
    best.indices.resize(count);
    best.values.resize(count);
    staging.download(indices->get(), best.indices.data(), count * sizeof(int64_t));
    staging.download(values->get(), best.values.data(), count * sizeof(float));
  });
}

}  // namespace cudnn_resnet::cuda
