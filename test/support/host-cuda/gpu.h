// The emulated GPU: what happens to it, at will, and what it was asked for.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

namespace host_cuda {

struct Gpu {
  size_t memory = SIZE_MAX;                 // bytes that it has
  cudaError_t answer = cudaSuccess;         // to every call
  cudaError_t capture = cudaSuccess;        // to capturing
  cudaError_t instantiation = cudaSuccess;  // to making what was captured a graph that runs

  size_t used = 0;  // bytes of its memory
  int allocations = 0;
  int waits = 0;  // of the host for a stream
};
extern Gpu gpu;

}  // namespace host_cuda
