#include "core/program.h"

#include <algorithm>
#include <ranges>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "core/exchanged.h"
#include "core/warn.h"

namespace cudnn_resnet {
namespace {

// Nothing may write over a tensor that others than the present operation read.
constexpr int readByOthers = 2;

}  // namespace

Program::Program(std::vector<TensorPtr> inputs, std::vector<Operation> operations,
                 std::vector<TensorPtr> outputs)
    : inputs_(std::move(inputs)), outputs_(std::move(outputs)) {
  std::unordered_map<TensorPtr, size_t> lastStep;
  std::unordered_set<TensorPtr> known(inputs_.begin(), inputs_.end());
  const auto note = [&](const TensorPtr& tensor) {
    if (known.insert(tensor).second) {
      tensor->pendingReads += readByOthers;
      constants_.push_back(tensor);
    }
  };
  for (size_t step = 0; step < operations.size(); ++step) {
    for (const TensorPtr& input : operations[step].inputs) {
      note(input);
      lastStep[input] = step;
    }
    for (const TensorPtr& output : operations[step].outputs) {
      known.insert(output);
      written_.push_back(output);
      lastStep[output] = step;
    }
  }
  std::ranges::for_each(outputs_, note);
  for (const auto* tensors : {&inputs_, &written_}) {
    for (const TensorPtr& tensor : *tensors) {
      tensor->ofEachRun = true;
    }
  }

  for (Operation& operation : operations) {
    steps_.push_back({std::move(operation), {}});
  }
  for (const TensorPtr& tensor : written_) {
    tensor->abandoned = true;
    if (std::ranges::find(outputs_, tensor) == outputs_.end()) {
      steps_[lastStep[tensor]].last.push_back(tensor);
    }
  }
}

Program::~Program() {
  for (const TensorPtr& constant : constants_) {
    constant->pendingReads -= readByOthers;
  }
}

void Program::checkConstants() const {
  for (const TensorPtr& constant : constants_) {
    checkReadable(*constant);
  }
}

std::vector<uint64_t> Program::revisions() const {
  std::vector<uint64_t> numbers;
  numbers.reserve(constants_.size());
  std::ranges::transform(constants_, std::back_inserter(numbers),
                         [](const TensorPtr& constant) { return constant->storage->revision(); });
  return numbers;
}

void Program::run(Engine& engine, const std::vector<TensorPtr>& arguments,
                  const std::vector<TensorPtr>& results, const Cancellation& cancellation) {
  const Exchanged running(cancellation_, &cancellation);
  checkConstants();
  if (replay_ && revisions() != revisions_) {
    forget();  // a constant was given other values, or moved
  }
  if (!replay_ && attempts_ > 0) {
    capture(engine, arguments);
  }
  try {
    if (replay_) {
      for (size_t i = 0; i < slots_.size(); ++i) {
        engine.copy(*arguments[i], *slots_[i]);
      }
      replay_->run(cancellation);
    } else {
      runSteps(engine, arguments);
    }
    for (size_t i = 0; i < outputs_.size(); ++i) {
      engine.copy(*outputs_[i], *results[i]);
    }
  } catch (...) {
    if (!replay_) {
      dropValues();
    }
    throw;
  }
  if (!replay_) {
    dropValues();
  }
}

void Program::capture(Engine& engine, const std::vector<TensorPtr>& arguments) {
  try {
    for (const TensorPtr& argument : arguments) {
      slots_.push_back(std::make_shared<Tensor>(argument->shape, argument->dtype));
      engine.reshape(*argument, *slots_.back());
    }
    replay_ = engine.capture([&] { runSteps(engine, slots_); });
    revisions_ = revisions();
  } catch (const Error& error) {
    forget();
    if (error.code() != ErrorCode::Backend) {
      throw;
    }
    if (--attempts_ == 0) {
      warn("what was recorded runs operation by operation: " + std::string(error.what()));
    }
    return;
  } catch (...) {
    forget();
    throw;
  }
  if (!replay_) {
    attempts_ = 0;
    forget();
  }
}

void Program::runSteps(Engine& engine, const std::vector<TensorPtr>& arguments) {
  dropValues();
  for (size_t i = 0; i < inputs_.size(); ++i) {
    // A constant may be rearranged, in other memory, before its values as an argument are read.
    if (std::ranges::find(constants_, arguments[i]) != constants_.end()) {
      engine.reshape(*arguments[i], *inputs_[i]);
    } else {
      engine.alias(*arguments[i], *inputs_[i]);
    }
  }
  for (const Step& step : steps_) {
    cancellation_->check();
    // As Device does for operations that are not recorded: the last one to read a tensor may write over it.
    for (const TensorPtr& tensor : step.last) {
      tensor->pendingReads = static_cast<int>(std::ranges::count(step.operation.inputs, tensor));
    }
    step.operation.run(engine);
    for (const TensorPtr& tensor : step.last) {
      tensor->storage.reset();
    }
  }
}

void Program::dropValues() noexcept {
  for (const auto* tensors : {&inputs_, &written_}) {
    for (const TensorPtr& tensor : *tensors) {
      tensor->storage.reset();
      tensor->pendingReads = readByOthers;
    }
  }
}

void Program::forget() noexcept {
  replay_.reset();
  slots_.clear();
  dropValues();
}

}  // namespace cudnn_resnet
