#include "core/device.h"

#include <utility>

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
  for (const auto& input : inputs) {
    if (input->error) {
      return input->error;
    }
    if (!input->storage) {
      return std::make_shared<Error>(ErrorCode::Weights,
                                     "a tensor of shape " + text(input->shape) +
                                         " was made without values and none were loaded into it");
    }
  }
  try {
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

void Device::trim() {
  queue_.post([this] {
    if (memory_.allocator) {
      memory_.allocator->trim();
    }
  });
}

void Device::close() {
  queue_.stop([this] { engine_.reset(); });
}

}  // namespace cudnn_resnet
