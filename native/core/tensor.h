// A tensor on a device: what a handle in JavaScript stands for.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "core/dtype.h"
#include "core/error.h"
#include "core/shape.h"

namespace cudnn_resnet {

// The memory behind a tensor, in a layout that only its engine knows.
class Storage {
 public:
  Storage() : revision_(next()) {}
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
  virtual ~Storage() = default;

  // Another number for every storage, and a greater one for each further place that its values are in: what
  // holds on to a place can tell whether it is still the one.
  [[nodiscard]] virtual uint64_t revision() const noexcept { return revision_; }

 protected:
  void moved() noexcept { revision_ = next(); }

 private:
  static uint64_t next() noexcept {
    static std::atomic<uint64_t> last{0};
    return ++last;
  }
  uint64_t revision_;
};

class Recording;
struct QueuedOperation;

struct Tensor {
  Tensor(Shape shapeOfTensor, DType dtypeOfTensor) : shape(std::move(shapeOfTensor)), dtype(dtypeOfTensor) {}

  const Shape shape;
  const DType dtype;

  // Of a tensor that stands for values of a program which is being recorded, or was; only the thread of
  // JavaScript touches it.
  std::shared_ptr<Recording> recording;

  // It has other values at each run of a program: nothing that is made of them may be kept.
  bool ofEachRun = false;

  // What the thread of JavaScript tells the queue's: nothing more can ask for this tensor; so many queued
  // operations read it. An operation for which `lastRead()` holds may write its result into this tensor's
  // storage.
  std::atomic<bool> abandoned{false};
  std::atomic<int> pendingReads{0};
  [[nodiscard]] bool lastRead() const noexcept { return abandoned && pendingReads == 1; }

  // What the queue's thread tells that of JavaScript: the last operation that was to write this tensor has
  // failed.
  std::atomic<bool> failed{false};

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

// Throws the error of the operation that should have written x, and Error(Weights) where none has.
void checkReadable(const Tensor& x);

}  // namespace cudnn_resnet
