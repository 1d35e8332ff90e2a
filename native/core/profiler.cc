#include "core/profiler.h"

#include <utility>

namespace cudnn_resnet {
namespace {

std::vector<Shape> shapesOf(const std::vector<TensorPtr>& tensors) {
  std::vector<Shape> shapes;
  shapes.reserve(tensors.size());
  for (const auto& tensor : tensors) {
    shapes.push_back(tensor->shape);
  }
  return shapes;
}

}  // namespace

Profiler::Run Profiler::timed(std::string operation, const std::vector<TensorPtr>& inputs,
                              const std::vector<TensorPtr>& outputs, Run run) {
  return [self = shared_from_this(), run = std::move(run),
          timing = Timing{layer, std::move(operation), shapesOf(inputs), shapesOf(outputs), 0, 0}](
             Engine& engine) {
    Timing noted = timing;
    noted.begin = self->now();
    run(engine);
    engine.synchronize();
    noted.end = self->now();
    self->timings.push_back(std::move(noted));
  };
}

double Profiler::now() const {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin_).count();
}

}  // namespace cudnn_resnet
