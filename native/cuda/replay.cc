// Captured work as a CUDA graph: one call launches all kernels of a network.
#include "core/exchanged.h"
#include "cuda/engine.h"
#include "cuda/error.h"
#include "cuda/graph.h"

namespace cudnn_resnet::cuda {
namespace {

class GraphReplay : public Replay {
 public:
  GraphReplay(Block arena, std::vector<Plan> plans, ExecutableGraph executable, cudaStream_t stream)
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
  ExecutableGraph executable_;
  cudaStream_t stream_;
};

}  // namespace

std::unique_ptr<Replay> CudaEngine::capture(const Work& work) {
  // Plans are made and weights get their layouts, which is no part of the graph.
  work();
  const std::vector<Lifetime> blocks = allocator_->trace(work);
  const ArenaPlan plan = planArena(blocks);
  Block arena = allocator_->allocate(plan.bytes);
  ExecutableGraph executable;
  std::vector<Plan> plans;
  const Exchanged<std::vector<Plan>*> capturing(captured_, &plans);
  // An engine of cuDNN that cannot be captured, or whose launches the driver takes into no graph, or a tensor
  // that has to be rearranged at each run is an Error(Backend).
  allocator_->place(blocks, plan, arena, [&] { executable = captured(stream(), work); });
  return std::make_unique<GraphReplay>(std::move(arena), std::move(plans), std::move(executable), stream());
}

}  // namespace cudnn_resnet::cuda
