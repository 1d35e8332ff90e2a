#include "core/device.h"

#include <algorithm>
#include <utility>

#include "core/recording.h"

namespace cudnn_resnet {

Device::Device(const DeviceDescription& description) : id_(description.id), open_(description.open) {
  memory_.use = std::make_shared<MemoryUse>();
  memory_.use->limit = description.memory;
  queue_.post([this] {
    try {
      openEngine();
    } catch (...) {  // whoever needs the engine is told
    }
  });
}

void Device::openEngine() {
  if (engine_) {
    return;
  }
  try {
    engine_ = open_(memory_);
    if (memory_.allocator) {
      memory_.allocator->onShortage([this] { forgetPrograms(); });
    }
  } catch (...) {
    auto error = std::make_shared<Error>(currentError());
    if (error->code() != ErrorCode::OutOfMemory) {
      lost_ = error;
    }
    throw;
  }
}

std::shared_ptr<const Error> Device::attempt(const std::vector<TensorPtr>& inputs,
                                             const std::function<void(Engine&)>& run) {
  if (lost_) {
    return lost_;
  }
  try {
    for (const auto& input : inputs) {
      checkReadable(*input);
    }
    openEngine();
    run(*engine_);
    return nullptr;
  } catch (...) {
    auto error = std::make_shared<Error>(currentError());
    if (error->code() == ErrorCode::DeviceLost) {
      lost_ = error;
    }
    return error;
  }
}

// What can never fit fails before the engine, or what computes its values on the host, asks the system for
// memory that it may promise and not have.
void Device::checkFits(const Tensor& y) const {
  if (const size_t limit = memory_.use->limit; y.bytes() > limit) {
    throw Error(ErrorCode::OutOfMemory, "no memory for the " + std::to_string(y.bytes()) +
                                            " bytes of a tensor of shape " + text(y.shape) +
                                            ": the device's limit is " + std::to_string(limit));
  }
}

void Device::submit(Operation operation) {
  if (const auto recording = Recording::of(operation)) {
    recording->append(std::move(operation));
    return;
  }
  if (profiler) {
    operation.run =
        profiler->timed(operation.name, operation.inputs, operation.outputs, std::move(operation.run));
  }
  for (const auto& input : operation.inputs) {
    ++input->pendingReads;
  }
  queue_.post([this, operation = std::move(operation)] {
    const auto error = attempt(operation.inputs, [&](Engine& engine) {
      for (const auto& output : operation.outputs) {
        checkFits(*output);
      }
      operation.run(engine);
    });
    for (const auto& input : operation.inputs) {
      --input->pendingReads;
    }
    for (const auto& output : operation.outputs) {
      output->error = error;
      if (error) {
        output->storage.reset();
      }
    }
  });
}

void Device::read(const TensorPtr& x, std::function<void(Engine&)> run,
                  std::function<void(std::shared_ptr<const Error>)> done) {
  if (x->recording) {
    throw Error(ErrorCode::Argument,
                "a tensor that is being recorded has no values yet: return it, and run the program");
  }
  ++x->pendingReads;
  queue_.post([this, inputs = std::vector{x}, run = std::move(run), done = std::move(done)] {
    const auto error = attempt(inputs, run);
    --inputs.front()->pendingReads;
    done(error);
  });
}

void Device::call(std::function<void(Engine&)> run, std::function<void(std::shared_ptr<const Error>)> done) {
  queue_.post([this, run = std::move(run), done = std::move(done)] { done(attempt({}, run)); });
}

void Device::release(TensorPtr tensor) {
  tensor->abandoned = true;
  queue_.post([tensor = std::move(tensor)] {});
}

void Device::release(std::shared_ptr<Program> program) {
  queue_.post([program = std::move(program)] {});
}

void Device::run(const std::shared_ptr<Program>& program, std::vector<TensorPtr> arguments,
                 std::vector<TensorPtr> results) {
  Operation operation{arguments, results, {}, /*recordable=*/false, "program"};
  operation.run = [this, program, arguments = std::move(arguments),
                   results = std::move(results)](Engine& engine) {
    std::erase_if(programs_, [](const auto& known) { return known.expired(); });
    if (std::ranges::none_of(programs_, [&](const auto& known) { return known.lock() == program; })) {
      programs_.push_back(program);
    }
    running_ = program.get();
    try {
      program->run(engine, arguments, results);
    } catch (...) {
      running_ = nullptr;
      throw;
    }
    running_ = nullptr;
  };
  submit(std::move(operation));
}

void Device::forgetPrograms() noexcept {
  for (const auto& known : programs_) {
    if (const auto program = known.lock(); program && program.get() != running_) {
      program->forget();
    }
  }
}

void Device::trim() {
  queue_.post([this] {
    forgetPrograms();
    if (memory_.allocator) {
      memory_.allocator->trim();
    }
  });
}

void Device::close() {
  queue_.stop([this] { engine_.reset(); });
}

}  // namespace cudnn_resnet
