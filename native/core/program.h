// Operations that were recorded once, to be run again and again on other inputs.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/operation.h"

namespace cudnn_resnet {

class Program {
 public:
  // `inputs` stand for what a run is given and `outputs` for what it returns; the other tensors that the
  // operations read, and did not write, are constants, and are read as they are at each run.
  Program(std::vector<TensorPtr> inputs, std::vector<Operation> operations, std::vector<TensorPtr> outputs);
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program();

  [[nodiscard]] const std::vector<TensorPtr>& inputs() const noexcept { return inputs_; }
  [[nodiscard]] const std::vector<TensorPtr>& outputs() const noexcept { return outputs_; }

  // Only the thread of the device's queue calls what follows.

  // Gives each of `results` its values, in a storage of its own. Throws Error(Aborted) between two steps once
  // it is cancelled.
  void run(Engine& engine, const std::vector<TensorPtr>& arguments, const std::vector<TensorPtr>& results,
           const Cancellation& cancellation);

  // Frees what was captured; the next run captures again.
  void forget() noexcept;

 private:
  struct Step {
    Operation operation;
    std::vector<TensorPtr> last;  // that it is the last to read, or that it writes and nothing reads
  };

  void checkConstants() const;
  [[nodiscard]] std::vector<uint64_t> revisions() const;
  void capture(Engine& engine, const std::vector<TensorPtr>& arguments);
  void runSteps(Engine& engine, const std::vector<TensorPtr>& arguments);
  void dropValues() noexcept;

  std::vector<TensorPtr> inputs_;
  std::vector<Step> steps_;
  std::vector<TensorPtr> outputs_;
  std::vector<TensorPtr> constants_;
  std::vector<TensorPtr> written_;  // by the operations

  const Cancellation* cancellation_ = nullptr;  // of the run under way

  int attempts_ = 3;                 // at capturing that are left: what ended one may be over
  std::vector<TensorPtr> slots_;     // where a captured run reads its inputs
  std::unique_ptr<Replay> replay_;   // and what it does with them
  std::vector<uint64_t> revisions_;  // of the constants, when that was captured
};

}  // namespace cudnn_resnet
