// Captured work as a CUDA graph: one call launches all kernels of a network.
#include "core/exchanged.h"
#include "cuda/capturing.h"
#include "cuda/engine.h"
#include "cuda/error.h"

namespace cudnn_resnet::cuda {
namespace {

struct GraphEnd {
  void operator()(cudaGraph_t graph) const noexcept { cudaGraphDestroy(graph); }
};
struct ExecutableEnd {
  void operator()(cudaGraphExec_t executable) const noexcept { cudaGraphExecDestroy(executable); }
};
using Graph = std::unique_ptr<std::remove_pointer_t<cudaGraph_t>, GraphEnd>;
using Executable = std::unique_ptr<std::remove_pointer_t<cudaGraphExec_t>, ExecutableEnd>;

// What `work` puts into the stream, as a graph.
Graph graphOf(cudaStream_t stream, const std::function<void()>& work) {
  const std::scoped_lock alone(capturing());
  // Relaxed: only this thread uses the stream, and what else it asks of CUDA is of no concern to the graph.
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed), "cudaStreamBeginCapture");
  cudaGraph_t graph = nullptr;
  try {
    work();
  } catch (...) {
    cudaStreamEndCapture(stream, &graph);
    cudaGetLastError();  // what ended the capture is told already
    if (graph != nullptr) {
      cudaGraphDestroy(graph);
    }
    throw;
  }
  check(cudaStreamEndCapture(stream, &graph), "cudaStreamEndCapture");
  return Graph(graph);
}

Executable executableOf(const Graph& graph) {
  cudaGraphExec_t executable = nullptr;
  check(cudaGraphInstantiate(&executable, graph.get(), 0), "cudaGraphInstantiate");
  return Executable(executable);
}

class GraphReplay : public Replay {
 public:
  GraphReplay(Block arena, std::vector<Plan> plans, Executable executable, cudaStream_t stream)
      : arena_(std::move(arena)),
        plans_(std::move(plans)),
        executable_(std::move(executable)),
        stream_(stream) {}
  GraphReplay(const GraphReplay&) = delete;
  GraphReplay& operator=(const GraphReplay&) = delete;
  ~GraphReplay() override { cudaStreamSynchronize(stream_); }  // the plans' code may be running
  // What has been launched cannot be stopped.
  void run(const Cancellation& /*cancellation*/) override {
    check(cudaGraphLaunch(executable_.get(), stream_), "cudaGraphLaunch");
  }

 private:
  Block arena_;
  std::vector<Plan> plans_;  // own the code that the graph launches, also when the cache drops them
  Executable executable_;
  cudaStream_t stream_;
};

}  // namespace

std::unique_ptr<Replay> CudaEngine::capture(const Work& work) {
  // Plans are made and weights get their layouts, which is no part of the graph.
  work();
  const std::vector<Lifetime> blocks = allocator_->trace(work);
  const ArenaPlan plan = planArena(blocks);
  Block arena = allocator_->allocate(plan.bytes);
  Executable executable;
  std::vector<Plan> plans;
  const Exchanged<std::vector<Plan>*> capturing(captured_, &plans);
  // An engine of cuDNN that cannot be captured, or whose launches the driver takes into no graph, or a tensor
  // that has to be rearranged at each run is an Error(Backend).
  allocator_->place(blocks, plan, arena, [&] { executable = executableOf(graphOf(stream(), work)); });
  return std::make_unique<GraphReplay>(std::move(arena), std::move(plans), std::move(executable), stream());
}

}  // namespace cudnn_resnet::cuda
