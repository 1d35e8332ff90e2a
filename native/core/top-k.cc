#include "core/top-k.h"

#include <algorithm>
#include <numeric>

#include "core/ranked.h"

namespace cudnn_resnet {

TopK topKOnHost(const float* scores, int64_t rows, int64_t columns, int64_t k) {
  TopK best;
  std::vector<int64_t> order(static_cast<size_t>(columns));
  for (const float* row = scores; row != scores + rows * columns; row += columns) {
    std::iota(order.begin(), order.end(), 0);
    std::partial_sort(order.begin(), order.begin() + k, order.end(), [row](int64_t a, int64_t b) {
      return Ranked{row[a], a}.precedes({row[b], b});
    });
    for (int64_t place = 0; place < k; ++place) {
      best.indices.push_back(order[static_cast<size_t>(place)]);
      best.values.push_back(row[order[static_cast<size_t>(place)]]);
    }
  }
  return best;
}

}  // namespace cudnn_resnet
