// Values that take long to make and that one thread asks for one after the other, made by other threads
// meanwhile: from the last to the first, so that they and the one that asks, which makes what nobody has
// begun, meet in the middle.
#pragma once

#include <algorithm>
#include <atomic>
#include <exception>
#include <functional>
#include <future>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/host.h"

namespace cudnn_resnet::cuda {

// How many threads of all that make values ahead there are. With the one that asks no more than there are
// cores to use, nor than this: where they compile for cuDNN, each takes some 50 MB.
constexpr int mostThreads = 8;
inline std::atomic<int> threadsAhead{0};

template <typename Value>
class MadeAhead {
 public:
  struct Item {
    std::string key;
    std::function<Value()> make;  // on any thread
  };

  // In the order in which they will be asked for.
  explicit MadeAhead(std::vector<Item> items) {
    for (Item& item : items) {
      std::packaged_task<Value()> make(std::move(item.make));
      std::future<Value> value = make.get_future();
      tasks_.push_back({std::move(item.key), std::move(make), std::move(value), false});
    }
    threads_.reserve(tasks_.size());
    for (size_t others = tasks_.size(); others > 1 && addThread(); --others) {
    }
  }
  MadeAhead(const MadeAhead&) = delete;
  MadeAhead& operator=(const MadeAhead&) = delete;

  // Waits for what is under way; what is not is never begun.
  ~MadeAhead() {
    ended_ = true;
    for (std::thread& thread : threads_) {
      thread.join();
    }
    threadsAhead -= static_cast<int>(threads_.size());
  }

  // The value, once: waits where it is being made, and throws what making it threw. Nothing where no thread
  // has begun, and then none will.
  std::optional<Value> take(const std::string& key) {
    const auto task = std::ranges::find(tasks_, key, &Task::key);
    const bool mine = task == tasks_.end() || claim(*task) || !task->value.valid();
    return mine ? std::nullopt : std::optional(task->value.get());
  }

 private:
  struct Task {
    std::string key;
    std::packaged_task<Value()> make;
    std::future<Value> value;
    bool claimed;
  };

  bool claim(Task& task) {
    const std::scoped_lock lock(mutex_);
    return !std::exchange(task.claimed, true);
  }

  bool addThread() {
    if (++threadsAhead >= std::min(usableCores(), mostThreads)) {
      --threadsAhead;
      return false;
    }
    try {
      threads_.emplace_back([this] {
        for (auto task = tasks_.rbegin(); task != tasks_.rend() && !ended_; ++task) {
          if (claim(*task)) {
            task->make();
          }
        }
      });
      return true;
    } catch (const std::exception&) {  // then with those that there are
      --threadsAhead;
      return false;
    }
  }

  std::vector<Task> tasks_;
  std::mutex mutex_;
  std::atomic<bool> ended_{false};
  std::vector<std::thread> threads_;
};

}  // namespace cudnn_resnet::cuda
