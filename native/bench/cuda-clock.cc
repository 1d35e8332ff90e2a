#include "bench/clock.h"
#include "cuda/engine.h"
#include "cuda/error.h"
#include "cuda/stream.h"

namespace cudnn_resnet::bench {
namespace {

using cuda::check;

class CudaClock : public Clock {
 public:
  explicit CudaClock(cudaStream_t stream) : stream_(stream) {}

  double measure(const std::function<void()>& work) override {
    constexpr int calls = 50;  // so many that the GPU does not wait for their being asked for
    work();                    // what the first event waits behind
    check(cudaEventRecord(begin_.get(), stream_), "cudaEventRecord");
    for (int i = 0; i < calls; ++i) {
      work();
    }
    check(cudaEventRecord(end_.get(), stream_), "cudaEventRecord");
    end_.wait("timing a primitive");
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, begin_.get(), end_.get()), "cudaEventElapsedTime");
    return milliseconds / 1e3 / calls;
  }

 private:
  cudaStream_t stream_;
  cuda::Event begin_{cuda::Event::Use::Timing};
  cuda::Event end_{cuda::Event::Use::Timing};
};

}  // namespace

std::unique_ptr<Clock> cudaClock(Engine& engine) {
  return std::make_unique<CudaClock>(static_cast<cuda::CudaEngine&>(engine).stream());
}

size_t cudaCacheBytes() {
  int device = 0;
  int bytes = 0;
  check(cudaGetDevice(&device), "cudaGetDevice");
  check(cudaDeviceGetAttribute(&bytes, cudaDevAttrL2CacheSize, device), "cudaDeviceGetAttribute");
  return static_cast<size_t>(bytes);
}

}  // namespace cudnn_resnet::bench
