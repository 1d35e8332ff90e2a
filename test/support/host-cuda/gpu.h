// The emulated GPU: what happens to it, at will, and what it was asked for.
#pragma once

#include <cuda_runtime_api.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace host_cuda {

struct Gpu {
  std::atomic<size_t> memory{SIZE_MAX};                 // bytes that it has
  std::atomic<cudaError_t> answer{cudaSuccess};         // to every call
  std::atomic<cudaError_t> capture{cudaSuccess};        // to capturing
  std::atomic<bool> opens{true};                        // a handle of cuDNN's
  std::atomic<bool> loads{true};                        // plans that were kept
  std::atomic<bool> compiles{true};                     // plans at all
  std::atomic<int> driver{13000};                       // its version
  std::atomic<int> count{1};                            // of such GPUs
  std::atomic<int> capability{80};                      // 80 for 8.0
  std::atomic<cudaError_t> instantiation{cudaSuccess};  // to making what was captured a graph that runs

  std::atomic<size_t> code{0};  // bytes that must be free where a plan or a graph is made or run

  std::atomic<size_t> used{0};  // bytes of its memory
  std::atomic<int> allocations{0};
  std::atomic<int> waits{0};         // of the host for a stream
  std::atomic<int> compilations{0};  // of graphs
  std::atomic<int> timings{0};       // of work between two events

  [[nodiscard]] bool hasRoomForCode() const { return used + code <= memory; }

  // All memory is there, nothing goes wrong any more.
  void mend() {
    memory = SIZE_MAX;
    code = 0;
    answer = capture = instantiation = cudaSuccess;
    opens = loads = compiles = true;
    driver = 13000;
    count = 1;
    capability = 80;
  }
};
extern Gpu gpu;

}  // namespace host_cuda
