// Captured work as a CUDA graph: one call launches all kernels of a network.
#include "core/exchanged.h"
#include "cuda/engine.h"
#include "cuda/error.h"
#include "cuda/graph.h"

namespace cudnn_resnet::cuda {
namespace {

class GraphReplay : public Replay {
 public:
  GraphReplay(std::shared_ptr<CachingAllocator> allocator, Block arena, std::vector<Plan> plans,
              ExecutableGraph executable, cudaStream_t stream)
      : allocator_(std::move(allocator)),
        arena_(std::move(arena)),
        plans_(std::move(plans)),
        executable_(std::move(executable)),
        stream_(stream) {}
  GraphReplay(const GraphReplay&) = delete;
  GraphReplay& operator=(const GraphReplay&) = delete;
  ~GraphReplay() override { cudaStreamSynchronize(stream_); }  // the plans' code may be running
  // What has been launched cannot be stopped.
  void run(const Cancellation& /*cancellation*/) override {
    allocator_->withRoom([&] { check(cudaGraphLaunch(executable_.get(), stream_), "cudaGraphLaunch"); });
  }

 private:
  std::shared_ptr<CachingAllocator> allocator_;
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
  std::vector<Plan> plans;
  // An engine of cuDNN that cannot be captured, or whose launches the driver takes into no graph, or a tensor
  // that has to be rearranged at each run is an Error(Backend).
  ExecutableGraph executable = allocator_->withRoom([&] {
    plans.clear();
    const Exchanged<std::vector<Plan>*> capturing(captured_, &plans);
    ExecutableGraph made;
    allocator_->place(blocks, plan, arena, [&] { made = captured(stream(), work); });
    return made;
  });
  return std::make_unique<GraphReplay>(allocator_, std::move(arena), std::move(plans), std::move(executable),
                                       stream());
}

}  // namespace cudnn_resnet::cuda
