// One thread, begun with the first task, that runs tasks in the order in which they were posted.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace cudnn_resnet {

class Queue {
 public:
  // A task must not throw.
  using Task = std::function<void()>;

  Queue() = default;
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  ~Queue() { stop(); }

  // From beginStop() on a task is dropped at once, on the caller's thread.
  void post(Task task);

  // No task begins until it is resumed.
  void hold();
  void resume();
  // Returns when no task runs, or at `end`: whether none does.
  [[nodiscard]] bool waitUntilIdle(std::chrono::steady_clock::time_point end);

  // Waits for the task that runs, drops those that wait, and ends the thread.
  void stop();
  // As stop(), which is still to be called, but waits for nothing: of several queues of which one's task
  // waits for another's, each begins to stop before any is waited for. The thread runs `last` before it ends,
  // or that which calls stop() where nothing was ever posted.
  void beginStop(Task last = {});

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> tasks_;
  Task last_;
  bool stopping_ = false;
  bool held_ = false;
  bool busy_ = false;
  std::condition_variable idle_;
  std::thread thread_;
};

}  // namespace cudnn_resnet
