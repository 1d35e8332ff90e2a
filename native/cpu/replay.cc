#include <utility>

#include "core/exchanged.h"
#include "cpu/engine.h"

namespace cudnn_resnet::cpu {

class CpuEngine::CapturedReplay : public Replay {
 public:
  CapturedReplay(Block arena, Captured captured) : arena_(std::move(arena)), captured_(std::move(captured)) {}
  void run(const Cancellation& cancellation) override {
    for (const auto& step : captured_.steps) {
      cancellation.check();
      step();
    }
  }

 private:
  Block arena_;
  Captured captured_;
};

std::unique_ptr<Replay> CpuEngine::capture(const Work& work) {
  Captured captured;
  const auto collect = [&] {
    captured = {};
    const Exchanged<Captured*> collecting(captured_, &captured);
    work();
  };
  collect();  // weights get their layouts, on which depends what is allocated to read them
  const std::vector<Lifetime> blocks = allocator_->trace(collect);
  allocator_->trim();  // the blocks of the trace have the arena in their place
  const ArenaPlan plan = planArena(blocks);
  Block arena = allocator_->allocate(plan.bytes);
  allocator_->place(blocks, plan, arena, collect);
  return std::make_unique<CapturedReplay>(std::move(arena), std::move(captured));
}

}  // namespace cudnn_resnet::cpu
