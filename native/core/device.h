// A device as one Node environment sees it: an engine, the queue whose thread owns it, and what is in use.
#pragma once

#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "core/backend.h"
#include "core/backlog.h"
#include "core/operation.h"
#include "core/profiler.h"
#include "core/program.h"
#include "core/queue.h"

namespace cudnn_resnet {

class Device {
 public:
  explicit Device(const DeviceDescription& description);
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  ~Device() { close(); }

  [[nodiscard]] const std::string& id() const noexcept { return id_; }
  [[nodiscard]] MemoryUse& memory() noexcept { return *memory_.use; }
  // What waits for the queue's thread. Ask it for room before a tensor is made for a new operation.
  [[nodiscard]] Backlog& backlog() noexcept { return backlog_; }

  // The tensors that JavaScript holds; only its thread touches these.
  struct Held {
    size_t tensors = 0;
    size_t bytes = 0;
  } held;

  // Where there is one, it is told what operations take; only the thread of JavaScript touches it.
  std::shared_ptr<Profiler> profiler;

  // Runs after all that was submitted before; or is noted, where it is part of a program that is being
  // recorded.
  void submit(Operation operation);

  // Runs a program of this device: `results` are given its outputs.
  void run(const std::shared_ptr<Program>& program, std::vector<TensorPtr> arguments,
           std::vector<TensorPtr> results);

  // Told on one of the device's threads, where there was one, of the error.
  using Done = std::function<void(Outcome)>;

  // Runs `run` on the queue's thread, and what that leaves to be done on another, so that the queue goes on
  // meanwhile. `done` is told of an error in these or in `x`. `hostBytes` are those of the host's memory that
  // are held for it while it waits. Throws Error(Argument) where x stands for a value of a program that is
  // being recorded.
  void read(const TensorPtr& x, std::function<Arrival(Engine&)> run, Done done, size_t hostBytes = 0);

  // Runs `run` on the queue's thread; `done` is told of an error in it.
  void call(std::function<void(Engine&)> run, Done done);

  // Has what is queued for x alone, and for one reading of x that waits, not be computed, and a program that
  // runs for it stop; x gets Error(Aborted). Does nothing where something else needs x, or x has its values.
  void cancel(const TensorPtr& x);

  // Drops a reference to a tensor, or a program, where storage may be freed: on the queue's thread, after
  // what still uses it.
  void release(TensorPtr tensor);
  void release(std::shared_ptr<Program> program);

  // From the next operation on.
  void setThreads(int threads);

  // Gives memory that is kept for reuse back to the system.
  void trim();

  // As those of Queue.
  void hold();
  void resume();
  [[nodiscard]] bool waitUntilIdle(std::chrono::steady_clock::time_point end);

  // Ends the queue's thread. What was not computed by then never is: a program that runs stops.
  void close();
  // As close(), which is still to be called, but waits for nothing: see Queue::beginStop().
  void beginClose();

 private:
  void checkFits(const Tensor& y) const;

  // Opens the engine where it is not open: at the start, and again where there was no memory for it then.
  void openEngine();
  // Frees what the programs that do not run now have captured.
  void forgetPrograms() noexcept;
  // Frees all that only makes work faster, for blocks of other sizes.
  void reclaim() noexcept;

  [[nodiscard]] Outcome attempt(const std::vector<TensorPtr>& inputs,
                                const std::function<void(Engine&)>& run);
  // Latches the error of a device that is lost.
  void note(const std::shared_ptr<const Error>& error);
  // Waits for `arrival` on the thread of arrivals.
  void await(Arrival arrival, size_t hostBytes, Done done);

  std::string id_;
  EngineMemory memory_;
  std::function<std::unique_ptr<Engine>(EngineMemory&)> open_;
  Backlog backlog_;
  Cancellation closing_;

  // Only the queue's thread touches these.
  std::unique_ptr<Engine> engine_;
  std::shared_ptr<const Error> lost_;  // set by the first error that the device cannot recover from
  std::vector<std::weak_ptr<Program>> programs_;  // that have run
  Program* running_ = nullptr;
  const Cancellation* cancellation_ = nullptr;  // of the operation that runs
  std::list<Arrival> arriving_;                 // what is waited for: it holds the engine's memory

  Queue arrivals_;
  Queue queue_;  // last, so that its thread ends before the rest goes
};

}  // namespace cudnn_resnet
