// A tensor on a device: what a handle in JavaScript stands for.
#pragma once

#include <atomic>
#include <memory>

#include "core/dtype.h"
#include "core/error.h"
#include "core/shape.h"

namespace cudnn_resnet {

// The memory behind a tensor, in a layout that only its engine knows.
class Storage {
 public:
  Storage() = default;
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
  virtual ~Storage() = default;
};

struct QueuedOperation;

struct Tensor {
  Tensor(Shape shapeOfTensor, DType dtypeOfTensor) : shape(std::move(shapeOfTensor)), dtype(dtypeOfTensor) {}

  const Shape shape;
  const DType dtype;

  // What the thread of JavaScript tells the queue's: nothing more can ask for this tensor; so many queued
  // operations read it. An operation for which `lastRead()` holds may write its result into this tensor's
  // storage.
  std::atomic<bool> abandoned{false};
  std::atomic<int> pendingReads{0};
  [[nodiscard]] bool lastRead() const noexcept { return abandoned && pendingReads == 1; }

  // Only the thread of JavaScript touches these: the queued operation that gives this tensor its values,
  // where that does nothing else; and of those that wait to read it, how many are cancelled.
  std::weak_ptr<QueuedOperation> producer;
  int cancelledReads = 0;

  // Only the thread of the device's queue touches what follows.
  std::unique_ptr<Storage> storage;    // none until an operation has written it
  std::shared_ptr<const Error> error;  // why the operation that should have written it failed

  [[nodiscard]] int64_t size() const noexcept { return elements(shape); }
  [[nodiscard]] size_t bytes() const noexcept { return static_cast<size_t>(size()) * bytesPerElement(dtype); }
};

using TensorPtr = std::shared_ptr<Tensor>;

}  // namespace cudnn_resnet
