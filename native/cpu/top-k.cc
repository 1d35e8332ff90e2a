#include <algorithm>
#include <cmath>
#include <numeric>

#include "cpu/engine.h"

namespace cudnn_resnet::cpu {

Arrival CpuEngine::topK(Tensor& x, int64_t k, TopK& best) {
  Buffer held;
  const auto* values =
      static_cast<const float*>(in(plain(x.shape, DType::Float32), x, held).get_data_handle());
  const int64_t classes = x.shape[1];
  std::vector<int64_t> order(static_cast<size_t>(classes));
  for (int64_t row = 0; row < x.shape[0]; ++row) {
    const float* scores = values + row * classes;
    std::iota(order.begin(), order.end(), 0);
    std::partial_sort(order.begin(), order.begin() + k, order.end(), [scores](int64_t a, int64_t b) {
      if (std::isnan(scores[a]) || std::isnan(scores[b])) {
        return std::isnan(scores[a]) && (!std::isnan(scores[b]) || a < b);
      }
      return scores[a] != scores[b] ? scores[a] > scores[b] : a < b;
    });
    for (int64_t i = 0; i < k; ++i) {
      best.indices.push_back(order[static_cast<size_t>(i)]);
      best.values.push_back(scores[order[static_cast<size_t>(i)]]);
    }
  }
  return {};
}

}  // namespace cudnn_resnet::cpu
