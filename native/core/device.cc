#include "core/device.h"

#include <algorithm>
#include <utility>

#include "core/exchanged.h"
#include "core/host.h"
#include "core/recording.h"

namespace cudnn_resnet {

namespace {

// Of operations: more than any program queues that waits for a result now and then, and about 100 MB of
// memory. Of the memory of the host, or of a smaller device: what leaves the rest room to work.
constexpr size_t mostOperations = 100'000;
constexpr size_t memoryShare = 4;

}  // namespace

Device::Device(const DeviceDescription& description)
    : id_(description.id),
      open_(description.open),
      backlog_({mostOperations, std::min(description.memory, usableHostMemory()) / memoryShare}) {
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
      memory_.allocator->onShortage([this] { reclaim(); });
    }
  } catch (...) {
    auto error = sharedCurrentError();
    if (error->code() != ErrorCode::OutOfMemory) {
      lost_ = error;
    }
    throw;
  }
}

Outcome Device::attempt(const std::vector<TensorPtr>& inputs, const std::function<void(Engine&)>& run) {
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
    auto error = sharedCurrentError();
    note(error);
    return error;
  }
}

void Device::note(const std::shared_ptr<const Error>& error) {
  if (error && error->code() == ErrorCode::DeviceLost) {
    lost_ = error;
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

void Device::submit(Operation submitted) {
  if (const auto recording = Recording::of(submitted)) {
    recording->append(std::move(submitted));
    return;
  }
  if (profiler) {
    submitted.run =
        profiler->timed(submitted.name, submitted.inputs, submitted.outputs, std::move(submitted.run));
  }
  auto queued = std::make_shared<QueuedOperation>(std::move(submitted), closing_);
  for (const auto& input : queued->operation.inputs) {
    ++input->pendingReads;
  }
  if (queued->operation.pure) {
    for (const auto& output : queued->operation.outputs) {
      output->producer = queued;
    }
  }
  backlog_.enter(queued->operation.hostBytes);
  queue_.post([this, queued = std::move(queued)] {  // moved: what it holds may be freed by the queue alone
    const Operation& operation = queued->operation;
    const auto error = attempt(operation.inputs, [&](Engine& engine) {
      queued->cancellation.check();
      for (const auto& output : operation.outputs) {
        checkFits(*output);
      }
      cancellation_ = &queued->cancellation;
      operation.run(engine);
    });
    for (const auto& input : operation.inputs) {
      --input->pendingReads;
    }
    for (const auto& output : operation.outputs) {
      output->error = error;
      output->failed = error != nullptr;
      if (error) {
        output->storage.reset();
      }
    }
    backlog_.leave(operation.hostBytes);
  });
}

void Device::cancel(const TensorPtr& x) {
  std::vector<std::shared_ptr<QueuedOperation>> cancelled;
  ++x->cancelledReads;
  for (std::vector<Tensor*> unneeded{x.get()}; !unneeded.empty();) {
    Tensor* const y = unneeded.back();
    unneeded.pop_back();
    auto queued = y->producer.lock();
    if (!queued) {
      continue;
    }
    cancelled.push_back(std::move(queued));
    QueuedOperation& operation = *cancelled.back();
    const auto unread = [](const Tensor& z) { return z.pendingReads <= z.cancelledReads; };
    const auto unwanted = [&](const TensorPtr& z) {  // what else the operation gives values
      return z.get() == y || (z->abandoned && unread(*z));
    };
    if (!unread(*y) || !std::ranges::all_of(operation.operation.outputs, unwanted) ||
        !operation.cancellation.cancel()) {
      continue;
    }
    for (const auto& input : operation.operation.inputs) {
      ++input->cancelledReads;
      if (input->abandoned) {
        unneeded.push_back(input.get());
      }
    }
  }
  // They may have run meanwhile, so that nothing else holds them: the queue frees what they hold.
  queue_.post([cancelled = std::move(cancelled)] {});
}

void Device::read(const TensorPtr& x, std::function<Arrival(Engine&)> run, Done done, size_t hostBytes) {
  if (x->recording) {
    throw Error(ErrorCode::Argument,
                "a tensor that is being recorded has no values yet: return it, and run the program");
  }
  ++x->pendingReads;
  backlog_.enter(hostBytes);
  queue_.post([this, hostBytes, inputs = std::vector{x}, run = std::move(run), done = std::move(done)] {
    Arrival arrival;
    auto error = attempt(inputs, [&](Engine& engine) { arrival = run(engine); });
    --inputs.front()->pendingReads;
    if (arrival) {
      error = attempt({}, [&](Engine&) { await(std::move(arrival), hostBytes, done); });
      if (!error) {
        return;
      }
    }
    backlog_.leave(hostBytes);
    done(error);
  });
}

void Device::await(Arrival arrival, size_t hostBytes, Done done) {
  const auto entry = arriving_.insert(arriving_.end(), std::move(arrival));
  try {
    arrivals_.post([this, hostBytes, done = std::move(done), entry] {
      Outcome error;
      try {
        (*entry)();
      } catch (...) {
        error = sharedCurrentError();
      }
      queue_.post([this, error, entry] {
        note(error);
        arriving_.erase(entry);
      });
      backlog_.leave(hostBytes);
      done(error);
    });
  } catch (...) {  // the system makes no thread to wait on
    arriving_.erase(entry);
    throw;
  }
}

void Device::call(std::function<void(Engine&)> run, Done done) {
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
  Operation operation{arguments, results, {}, /*pure=*/true, 0, "program"};
  if (Recording::of(operation)) {
    throw Error(ErrorCode::Argument,
                "a program cannot be part of another: call the function that it was recorded of");
  }
  operation.run = [this, program, arguments = std::move(arguments),
                   results = std::move(results)](Engine& engine) {
    std::erase_if(programs_, [](const auto& known) { return known.expired(); });
    if (std::ranges::none_of(programs_, [&](const auto& known) { return known.lock() == program; })) {
      programs_.push_back(program);
    }
    const Exchanged running(running_, program.get());
    program->run(engine, arguments, results, *cancellation_);
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

void Device::reclaim() noexcept {
  forgetPrograms();
  if (engine_) {
    engine_->trim();
  }
}

void Device::setThreads(int threads) {
  call(
      [this, threads](Engine& engine) {
        forgetPrograms();
        engine.setThreads(threads);
      },
      [](const Outcome&) {});
}

void Device::trim() {
  queue_.post([this] {
    reclaim();
    if (memory_.allocator) {
      memory_.allocator->trim();
    }
  });
}

void Device::hold() {
  queue_.hold();
  arrivals_.hold();
}

void Device::resume() {
  queue_.resume();
  arrivals_.resume();
}

bool Device::waitUntilIdle(std::chrono::steady_clock::time_point end) {
  return queue_.waitUntilIdle(end) && arrivals_.waitUntilIdle(end);
}

void Device::beginClose() {
  closing_.cancel();
  arrivals_.beginStop();  // the queue's task may wait for one that is held
  queue_.beginStop([this] {
    arrivals_.stop();
    arriving_.clear();
    forgetPrograms();  // what they captured is the engine's
    engine_.reset();
  });
}

void Device::close() {
  beginClose();
  queue_.stop();
}

}  // namespace cudnn_resnet
