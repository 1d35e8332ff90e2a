// Runs kernels on the host, so that they can be tested where there is no GPU: what they compute, not how
// fast, nor what only a GPU's memory model would show.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <functional>

namespace host_cuda {

extern constinit thread_local uint3 thread;
extern uint3 block;
extern dim3 blockSize;
extern dim3 gridSize;

// Has the stream run `kernel` as every thread of every block: those of a block at once where `together`, else
// one after the other.
void launch(cudaStream_t stream, dim3 grid, dim3 threads, bool together, std::function<void()> kernel);

// Waits for the other threads of the block.
void synchronize();

// The value that another thread of the block holds; all must call it.
void exchange(void* value, size_t bytes, int mask);

template <typename T>
T shuffled(T value, int mask) {
  exchange(&value, sizeof value, mask);
  return value;
}

}  // namespace host_cuda

// Blocks run one after the other, so that one copy of what a block shares is enough.
#undef __shared__
#define __shared__ static

#define threadIdx host_cuda::thread
#define blockIdx host_cuda::block
#define blockDim host_cuda::blockSize
#define gridDim host_cuda::gridSize
#define __syncthreads() host_cuda::synchronize()
#define __shfl_xor_sync(all, value, mask) (static_cast<void>(all), host_cuda::shuffled(value, mask))

inline long long __float2ll_rz(float value) { return static_cast<long long>(value); }
inline unsigned __float_as_uint(float value) { return std::bit_cast<unsigned>(value); }
inline float __uint_as_float(unsigned bits) { return std::bit_cast<float>(bits); }
inline float __ll2float_rz(long long value) {
  const auto nearest = static_cast<float>(value);
  const bool beyond = std::abs(static_cast<long double>(nearest)) > std::abs(static_cast<long double>(value));
  return beyond ? std::nextafter(nearest, 0.0F) : nearest;
}
using std::isnan;
