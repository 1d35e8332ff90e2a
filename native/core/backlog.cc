#include "core/backlog.h"

#include <string>
#include <utility>

#include "core/error.h"

namespace cudnn_resnet {

void Backlog::setLimit(Amount limit) {
  const std::scoped_lock lock(mutex_);
  limit_ = limit;
}

Backlog::Amount Backlog::limit() const {
  const std::scoped_lock lock(mutex_);
  return limit_;
}

Backlog::Amount Backlog::pending() const {
  const std::scoped_lock lock(mutex_);
  return pending_;
}

void Backlog::requireRoom(size_t bytes) const {
  const std::scoped_lock lock(mutex_);
  const bool tooMany = pending_.operations > 0 && pending_.operations >= limit_.operations;
  const bool tooLarge =
      pending_.bytes > 0 && bytes > 0 && (bytes > limit_.bytes || pending_.bytes > limit_.bytes - bytes);
  if (tooMany || tooLarge) {
    throw Error(ErrorCode::Busy, "the device has " + std::to_string(pending_.operations) +
                                     " operations waiting, which hold " + std::to_string(pending_.bytes) +
                                     " bytes; its limit is " + std::to_string(limit_.operations) + " and " +
                                     std::to_string(limit_.bytes) +
                                     ": await device.ready() before asking for more");
  }
}

void Backlog::enter(size_t bytes) {
  const std::scoped_lock lock(mutex_);
  ++pending_.operations;
  pending_.bytes += bytes;
}

void Backlog::leave(size_t bytes) {
  std::vector<std::function<void()>> ready;
  {
    const std::scoped_lock lock(mutex_);
    --pending_.operations;
    pending_.bytes -= bytes;
    if (!waiting_.empty() && isHalfEmpty()) {
      ready.swap(waiting_);
    }
  }
  for (const auto& done : ready) {
    done();
  }
}

void Backlog::whenHalfEmpty(std::function<void()> done) {
  {
    const std::scoped_lock lock(mutex_);
    if (!isHalfEmpty()) {
      waiting_.push_back(std::move(done));
      return;
    }
  }
  done();
}

bool Backlog::halfEmpty() const {
  const std::scoped_lock lock(mutex_);
  return isHalfEmpty();
}

bool Backlog::isHalfEmpty() const {
  return pending_.operations <= limit_.operations / 2 && pending_.bytes <= limit_.bytes / 2;
}

}  // namespace cudnn_resnet
