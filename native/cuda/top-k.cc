#include "kernels/top-k.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <vector>

#include "cuda/engine.h"
#include "kernels/convert.h"
#include "kernels/rank.h"

namespace cudnn_resnet::cuda {
namespace {

// Sorts on the host: for a k that would take the kernel many passes.
TopK sorted(const std::vector<float>& scores, int64_t columns, int64_t k) {
  TopK best;
  std::vector<int64_t> order(static_cast<size_t>(columns));
  for (auto row = scores.begin(); row != scores.end(); row += columns) {
    std::iota(order.begin(), order.end(), 0);
    std::partial_sort(order.begin(), order.begin() + k, order.end(), [row](int64_t a, int64_t b) {
      return kernels::Ranked{row[a], a}.precedes({row[b], b});
    });
    for (int64_t place = 0; place < k; ++place) {
      best.indices.push_back(order[static_cast<size_t>(place)]);
      best.values.push_back(row[order[static_cast<size_t>(place)]]);
    }
  }
  return best;
}

}  // namespace

Arrival CudaEngine::topK(Tensor& x, int64_t k, TopK& best) {
  const int64_t columns = x.shape[1];
  const auto count = static_cast<size_t>(x.shape[0] * k);
  if (k > kernels::largestTopK) {
    const auto floats = std::make_shared<Block>(allocate(x.size(), DType::Float32));
    kernels::cast(in(plain, x), x.dtype, floats->get(), DType::Float32, x.size(), stream());
    return arrival([floats, columns, k, &best, size = x.size()](Staging& staging) {
      std::vector<float> scores(static_cast<size_t>(size));
      staging.download(floats->get(), scores.data(), scores.size() * sizeof(float));
      best = sorted(scores, columns, k);
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
