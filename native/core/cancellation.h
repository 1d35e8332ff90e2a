// Tells work that runs that nobody wants its results any more.
#pragma once

#include <atomic>

#include "core/error.h"

namespace cudnn_resnet {

class Cancellation {
 public:
  // What is cancelled with `whole`, too, where that is given; it must outlive this.
  explicit Cancellation(const Cancellation* whole = nullptr) : whole_(whole) {}
  Cancellation(const Cancellation&) = delete;
  Cancellation& operator=(const Cancellation&) = delete;

  // false where it was cancelled before.
  bool cancel() noexcept { return !cancelled_.exchange(true, std::memory_order_relaxed); }

  // Throws Error(Aborted) once it is cancelled. Asked between steps: it costs a load or two.
  void check() const {
    if (cancelled() || (whole_ != nullptr && whole_->cancelled())) {
      throw Error(ErrorCode::Aborted, "the reading that this tensor was computed for was aborted");
    }
  }

 private:
  [[nodiscard]] bool cancelled() const noexcept { return cancelled_.load(std::memory_order_relaxed); }

  const Cancellation* whole_;
  std::atomic<bool> cancelled_{false};  // relaxed: it hands nothing over
};

}  // namespace cudnn_resnet
