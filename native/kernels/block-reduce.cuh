// One value from those of all threads of a block.
#pragma once

namespace cudnn_resnet::kernels {

// Every thread gets the result. The block's size is a multiple of 32 and at most 1024; all threads must take
// part. `combine` must be associative and commutative.
template <typename T, typename Combine>
__device__ T blockReduce(T value, Combine combine) {
  constexpr unsigned all = 0xffffffffU;
  __shared__ T partial[32];
  for (int offset = 16; offset > 0; offset /= 2) {
    value = combine(value, value.shuffled(all, offset));
  }
  __syncthreads();  // the last reduction's result has been read by all
  if (threadIdx.x % 32 == 0) {
    partial[threadIdx.x / 32] = value;
  }
  __syncthreads();
  T result = partial[0];
  for (unsigned warp = 1; warp < blockDim.x / 32; ++warp) {
    result = combine(result, partial[warp]);
  }
  return result;
}

// A float for blockReduce.
struct Scalar {
  float value;
  __device__ Scalar shuffled(unsigned mask, int offset) const {
    return {__shfl_xor_sync(mask, value, offset)};
  }
};

}  // namespace cudnn_resnet::kernels
