#include "streams.h"

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "gpu.h"

// Whether it has come; nothing to wait for where it was never recorded.
struct CUevent_st {
  std::shared_ptr<bool> come = std::make_shared<bool>(true);
};

struct CUgraph_st {
  std::vector<std::function<void()>> work;
};

struct CUgraphExec_st : CUgraph_st {};

struct CUstream_st {
  struct Step {
    std::shared_ptr<bool> after;  // runs only once this has come, where it is given
    std::function<void()> work;
  };
  std::deque<Step> steps;
  std::unique_ptr<CUgraph_st> captured;
  bool invalid = false;  // what is captured: something had to wait for it
  bool busy = false;
  const int device = host_cuda::device;
};

namespace host_cuda {
namespace {

std::recursive_mutex mutex;  // of the threads of several queues
std::set<cudaStream_t> streams;
std::minstd_rand choice(7);

// Runs a step of any stream that can go on; false where none can.
bool stepAnywhere() {
  std::vector<cudaStream_t> ready;
  for (const cudaStream_t stream : streams) {
    if (!stream->busy && !stream->steps.empty() &&
        (!stream->steps.front().after || *stream->steps.front().after)) {
      ready.push_back(stream);
    }
  }
  if (ready.empty()) {
    return false;
  }
  auto& steps = ready[choice() % ready.size()]->steps;
  const CUstream_st::Step step = std::move(steps.front());
  steps.pop_front();
  step.work();
  return true;
}

template <typename Condition>
cudaError_t runUntil(Condition met) {
  const std::scoped_lock lock(mutex);
  ++gpu.waits;
  while (!met()) {
    if (!stepAnywhere()) {
      std::fputs("emulated GPU: what is waited for never comes\n", stderr);
      std::abort();
    }
  }
  return gpu.answer;
}

// CUDA takes work for a stream of the current GPU alone.
void requireCurrent(cudaStream_t stream) {
  if (stream->device != device) {
    std::fputs("emulated GPU: work for a stream of another one than this thread's\n", stderr);
    std::abort();
  }
}

// What cannot be part of a graph, or end one, while it is captured.
bool capturing(cudaStream_t stream) { return stream->captured != nullptr; }

thread_local cudaError_t last = cudaSuccess;

// Kept for cudaGetLastError(), as CUDA does.
cudaError_t failed(cudaError_t status) { return last = status; }

}  // namespace

thread_local int device = 0;

cudaError_t takeLastError() { return std::exchange(last, cudaSuccess); }

void enqueue(cudaStream_t stream, std::function<void()> work) {
  requireCurrent(stream);
  const std::scoped_lock lock(mutex);
  if (capturing(stream) && stream->invalid) {
    failed(cudaErrorStreamCaptureInvalidated);
  } else if (capturing(stream)) {
    stream->captured->work.push_back(std::move(work));
  } else {
    stream->steps.push_back({nullptr, std::move(work)});
  }
}

void synchronizeAll() {
  runUntil([] {
    for (const cudaStream_t stream : streams) {
      if (!stream->steps.empty()) {
        return false;
      }
    }
    return true;
  });
}

Busy::Busy(cudaStream_t stream) : stream_(stream) { stream->busy = true; }
Busy::~Busy() { stream_->busy = false; }

}  // namespace host_cuda

using host_cuda::gpu;
using host_cuda::mutex;
using host_cuda::streams;

extern "C" {

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  if (gpu.answer != cudaSuccess) {
    return gpu.answer;
  }
  const std::scoped_lock lock(mutex);
  *stream = new CUstream_st;
  streams.insert(*stream);
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  cudaStreamSynchronize(stream);
  const std::scoped_lock lock(mutex);
  streams.erase(stream);
  delete stream;
  return gpu.answer;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (host_cuda::capturing(stream)) {
    return cudaErrorStreamCaptureUnsupported;
  }
  return host_cuda::runUntil([stream] { return stream->steps.empty(); });
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  const std::scoped_lock lock(mutex);
  if (host_cuda::capturing(stream)) {
    return cudaErrorStreamCaptureIsolation;
  }
  stream->steps.push_back({event->come, [] {}});
  return gpu.answer;
}

cudaError_t cudaDeviceSynchronize(void) {
  {
    const std::scoped_lock lock(mutex);
    bool waited = true;
    for (const cudaStream_t stream : streams) {
      stream->invalid = stream->invalid || host_cuda::capturing(stream);
      waited = waited && !host_cuda::capturing(stream);
    }
    if (!waited) {
      return host_cuda::failed(cudaErrorStreamCaptureUnsupported);
    }
  }
  host_cuda::synchronizeAll();
  return gpu.answer;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = gpu.answer == cudaSuccess ? new CUevent_st : nullptr;
  return gpu.answer;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return gpu.answer;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  host_cuda::requireCurrent(stream);
  const std::scoped_lock lock(mutex);
  if (host_cuda::capturing(stream)) {
    return cudaErrorStreamCaptureUnsupported;
  }
  event->come = std::make_shared<bool>(false);
  stream->steps.push_back({nullptr, [come = event->come] { *come = true; }});
  return gpu.answer;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  return host_cuda::runUntil([come = event->come] { return *come; });
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t, cudaEvent_t) {
  ++gpu.timings;
  *milliseconds = 1;
  return gpu.answer;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  if (gpu.capture == cudaSuccess) {
    const std::scoped_lock lock(mutex);
    stream->captured = std::make_unique<CUgraph_st>();
    stream->invalid = false;
  }
  return gpu.capture;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  const std::scoped_lock lock(mutex);
  const std::unique_ptr<CUgraph_st> captured = std::move(stream->captured);
  if (stream->invalid) {
    *graph = nullptr;
    return host_cuda::failed(cudaErrorStreamCaptureInvalidated);
  }
  *graph = captured ? new CUgraph_st{captured->work} : nullptr;
  return gpu.capture;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return gpu.answer;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  if (gpu.instantiation != cudaSuccess) {
    return host_cuda::failed(gpu.instantiation);
  }
  if (!gpu.hasRoomForCode()) {
    return host_cuda::failed(cudaErrorMemoryAllocation);
  }
  *executable = new CUgraphExec_st{{graph->work}};
  return gpu.answer;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  if (!gpu.hasRoomForCode()) {
    return host_cuda::failed(cudaErrorMemoryAllocation);
  }
  host_cuda::requireCurrent(stream);
  const std::scoped_lock lock(mutex);
  for (const auto& work : executable->work) {
    stream->steps.push_back({nullptr, work});
  }
  return gpu.answer;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete executable;
  return gpu.answer;
}
}
