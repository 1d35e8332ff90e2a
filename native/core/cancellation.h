// Tells work that runs that nobody wants its results any more.
#pragma once

#include <atomic>

#include "core/error.h"

namespace cudnn_resnet {

class Cancellation {
 public:
  // false where it was cancelled before.
  bool cancel() noexcept { return !cancelled_.exchange(true, std::memory_order_relaxed); }

  // Throws Error(Aborted) once it is cancelled. Asked between steps: it costs a load.
  void check() const {
    if (cancelled_.load(std::memory_order_relaxed)) {
      throw Error(ErrorCode::Aborted, "the reading that this tensor was computed for was aborted");
    }
  }

 private:
  std::atomic<bool> cancelled_{false};  // relaxed: it hands nothing over
};

}  // namespace cudnn_resnet
