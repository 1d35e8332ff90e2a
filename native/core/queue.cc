#include "core/queue.h"

#include <string>
#include <system_error>
#include <utility>

#include "core/error.h"

namespace cudnn_resnet {

void Queue::post(Task task) {
  {
    const std::scoped_lock lock(mutex_);
    if (stopping_) {
      return;
    }
    if (!thread_.joinable()) {
      try {
        thread_ = std::thread([this] { run(); });
      } catch (const std::system_error& error) {
        throw Error(ErrorCode::Native, std::string("the system makes no more threads (") + error.what() +
                                           "): raise the limit on processes and threads");
      }
    }
    tasks_.push_back(std::move(task));
  }
  changed_.notify_one();
}

void Queue::hold() {
  const std::scoped_lock lock(mutex_);
  held_ = true;
}

void Queue::resume() {
  {
    const std::scoped_lock lock(mutex_);
    held_ = false;
  }
  changed_.notify_one();
}

bool Queue::waitUntilIdle(std::chrono::steady_clock::time_point end) {
  std::unique_lock lock(mutex_);
  return idle_.wait_until(lock, end, [this] { return !busy_; });
}

void Queue::beginStop(Task last) {
  {
    const std::scoped_lock lock(mutex_);
    if (stopping_) {
      return;
    }
    stopping_ = true;
    last_ = std::move(last);
  }
  changed_.notify_one();
}

void Queue::stop() {
  beginStop();
  if (thread_.joinable()) {
    thread_.join();
  } else if (const Task ending = std::exchange(last_, {})) {
    ending();
  }
}

void Queue::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || (!held_ && !tasks_.empty()); });
    if (stopping_) {
      break;
    }
    {
      Task task = std::move(tasks_.front());
      tasks_.pop_front();
      busy_ = true;
      lock.unlock();
      task();
    }  // what the task held is freed here, on this thread and without the lock
    lock.lock();
    busy_ = false;
    idle_.notify_all();
  }
  std::deque<Task> dropped = std::move(tasks_);
  lock.unlock();
  dropped.clear();
  if (const Task last = std::exchange(last_, {})) {
    last();
  }
}

}  // namespace cudnn_resnet
