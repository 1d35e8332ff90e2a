#include <utility>

#include "core/exchanged.h"
#include "cpu/engine.h"

namespace cudnn_resnet::cpu {
namespace {

class CapturedSteps : public Replay {
 public:
  CapturedSteps(Block arena, std::vector<std::function<void()>> steps)
      : arena_(std::move(arena)), steps_(std::move(steps)) {}
  void run(const Cancellation& cancellation) override {
    for (const auto& step : steps_) {
      cancellation.check();
      step();
    }
  }

 private:
  Block arena_;
  std::vector<std::function<void()>> steps_;
};

}  // namespace

std::unique_ptr<Replay> CpuEngine::capture(const std::function<void()>& work) {
  Steps steps;
  const auto collect = [&] {
    steps.clear();
    const Exchanged<Steps*> collecting(captured_, &steps);
    work();
  };
  const std::vector<Lifetime> blocks = allocator_->trace(collect);
  allocator_->trim();  // the blocks of the trace have the arena in their place
  const ArenaPlan plan = planArena(blocks);
  Block arena = allocator_->allocate(plan.bytes);
  allocator_->place(blocks, plan, arena, collect);
  return std::make_unique<CapturedSteps>(std::move(arena), std::move(steps));
}

}  // namespace cudnn_resnet::cpu
