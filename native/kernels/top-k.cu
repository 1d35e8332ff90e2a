#include "kernels/top-k.h"

#include "core/ranked.h"
#include "kernels/block-reduce.cuh"
#include "kernels/elements.cuh"
#include "kernels/launch.h"

namespace cudnn_resnet::kernels {
namespace {

struct Candidate : Ranked {
  __device__ Candidate shuffled(unsigned mask, int offset) const {
    return {{__shfl_xor_sync(mask, value, offset), __shfl_xor_sync(mask, index, offset)}};
  }
};

// A block per row. Each pass finds the best of those that come after the last one found.
template <typename T>
__global__ void topKKernel(TopK p) {
  const auto* x = static_cast<const T*>(p.x);
  for (int64_t row = blockIdx.x; row < p.rows; row += gridDim.x) {
    Candidate last{{0, -1}};
    for (int64_t place = 0; place < p.k; ++place) {
      Candidate best{{0, -1}};
      for (int64_t i = threadIdx.x; i < p.columns; i += blockDim.x) {
        const Candidate here{{toFloat(x[row * p.columns + i]), i}};
        if ((place == 0 || last.precedes(here)) && here.precedes(best)) {
          best = here;
        }
      }
      last = blockReduce(best, [](const Candidate& a, const Candidate& b) { return a.precedes(b) ? a : b; });
      if (threadIdx.x == 0) {
        p.indices[row * p.k + place] = last.index;
        p.values[row * p.k + place] = last.value;
      }
    }
  }
}

}  // namespace

void topK(const TopK& p, DType dtype, cudaStream_t stream) {
  withFloat(dtype, [&](auto element) {
    topKKernel<decltype(element)><<<gridOf(p.rows), threadsPerBlock, 0, stream>>>(p);
  });
  checkLaunch("topK");
}

}  // namespace cudnn_resnet::kernels
