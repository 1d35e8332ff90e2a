// The streams of the emulated GPU. What they are given runs only when the host waits for it, and of several
// streams any may go on: what needs an order that no event gives it goes wrong here, as some day on a GPU.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>

namespace host_cuda {

// The GPU of this thread's calls.
extern thread_local int device;

// `work` runs in the order of the stream; or is noted, where the stream is being captured.
void enqueue(cudaStream_t stream, std::function<void()> work);

// Runs all that is left.
void synchronizeAll();

// The last error of this thread's calls, which is none after that.
cudaError_t takeLastError();

// While it lives, the stream does nothing, as if its work took long: a host that waits for it ends the
// process.
class Busy {
 public:
  explicit Busy(cudaStream_t stream);
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;
  ~Busy();

 private:
  cudaStream_t stream_;
};

}  // namespace host_cuda
