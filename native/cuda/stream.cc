#include "cuda/stream.h"

#include "cuda/error.h"

namespace cudnn_resnet::cuda {

Event::Event(Use use) {
  cudaEvent_t event = nullptr;
  check(cudaEventCreateWithFlags(&event, use == Use::Timing ? cudaEventDefault : cudaEventDisableTiming),
        "cudaEventCreate");
  event_.reset(event);
}

void Event::record(const Stream& stream) { check(cudaEventRecord(get(), stream.get()), "cudaEventRecord"); }

void Event::wait(const char* what) const { check(cudaEventSynchronize(get()), what); }

Stream::Stream() {
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreate");
  stream_.reset(stream);
}

void Stream::waitFor(const Event& event) const {
  check(cudaStreamWaitEvent(get(), event.get(), 0), "cudaStreamWaitEvent");
}

void Stream::synchronize() const { check(cudaStreamSynchronize(get()), "cudaStreamSynchronize"); }

}  // namespace cudnn_resnet::cuda
