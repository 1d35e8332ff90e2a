// What waits in a device's queue: counted, limited, and waited for. The thread of JavaScript adds to it, the
// queue's and that of arrivals take away.
#pragma once

#include <cstddef>
#include <functional>
#include <mutex>
#include <vector>

namespace cudnn_resnet {

class Backlog {
 public:
  // `bytes` are those of the host's memory that work holds while it waits: copies of what is to be uploaded,
  // and buffers to be read into.
  struct Amount {
    size_t operations = 0;
    size_t bytes = 0;
  };

  explicit Backlog(Amount limit) : limit_(limit) {}

  void setLimit(Amount limit);
  [[nodiscard]] Amount limit() const;
  [[nodiscard]] Amount pending() const;

  // Error(Busy) where one more operation that holds `bytes` is beyond the limit. However large, one is let in
  // where nothing waits.
  void requireRoom(size_t bytes) const;

  void enter(size_t bytes);
  void leave(size_t bytes);

  // No more than half of the limit waits.
  [[nodiscard]] bool halfEmpty() const;

  // Calls `done` once that is so: at once, or on the thread that takes away.
  void whenHalfEmpty(std::function<void()> done);

 private:
  [[nodiscard]] bool isHalfEmpty() const;  // the lock is held

  mutable std::mutex mutex_;
  Amount limit_;
  Amount pending_;
  std::vector<std::function<void()>> waiting_;
};

}  // namespace cudnn_resnet
