// An engine that computes nothing: what Device, transfer and fold promise is tested with it on every machine,
// errors that no real engine gives at will included.
#pragma once

#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "core/device.h"

namespace cudnn_resnet::test {

struct FakeStorage : Storage {
  explicit FakeStorage(size_t bytes) : bytes(bytes) {}
  std::vector<std::byte> bytes;
};

class FakeEngine : public Engine {
 public:
  void uploadFrom(const Reader& read, Tensor& y) override {
    auto storage = std::make_unique<FakeStorage>(y.bytes());
    read(storage->bytes.data(), 0, y.bytes());
    y.storage = std::move(storage);
  }
  Arrival fetch(Tensor& x, void* data) override {
    std::memcpy(data, static_cast<FakeStorage&>(*x.storage).bytes.data(), x.bytes());
    return {};
  }
  void zeros(Tensor& y) override { y.storage = std::make_unique<FakeStorage>(y.bytes()); }
  void cast(Tensor& /*x*/, Tensor& y) override { zeros(y); }
  void reshape(Tensor& x, Tensor& y) override {
    upload(static_cast<FakeStorage&>(*x.storage).bytes.data(), y);
  }
  void copy(Tensor& x, Tensor& y) override {
    if (!y.storage) {
      zeros(y);
    }
    static_cast<FakeStorage&>(*y.storage).bytes = static_cast<FakeStorage&>(*x.storage).bytes;
  }
  void alias(Tensor& x, Tensor& y) override { copy(x, y); }
  // Runs the work at each replay, as if it had been captured, where the test wants an engine that can.
  std::unique_ptr<Replay> capture(const Work& work) override {
    struct Again : Replay {
      explicit Again(Work work) : work(std::move(work)) {}
      void run(const Cancellation& /*cancellation*/) override { work(); }
      Work work;
    };
    ++captures;
    work();
    if (!capturing) {
      throw Error(ErrorCode::Backend, "this engine cannot capture");
    }
    return std::make_unique<Again>(work);
  }
  bool capturing = false;
  int captures = 0;

  void conv2d(const Conv2dAttributes& /*a*/, Tensor& /*x*/, Tensor& /*weight*/, Tensor* /*bias*/,
              Tensor* /*add*/, Tensor& y) override {
    zeros(y);
  }
  void linear(const LinearAttributes& /*attributes*/, Tensor& /*x*/, Tensor& /*weight*/, Tensor* /*bias*/,
              Tensor& y) override {
    zeros(y);
  }
  void batchNorm(const BatchNormInputs& /*inputs*/, Activation /*activation*/, Tensor& /*x*/,
                 Tensor& y) override {
    zeros(y);
  }
  void batchNormTraining(const BatchNormInputs& /*inputs*/, double /*momentum*/, Tensor* /*batches*/,
                         Tensor& /*x*/, Tensor& y) override {
    zeros(y);
  }
  void activate(Activation /*activation*/, Tensor& /*x*/, Tensor& y) override { zeros(y); }
  void add(Activation /*activation*/, Tensor& /*a*/, Tensor& /*b*/, Tensor& y) override { zeros(y); }
  void pool2d(const Pool2dAttributes& /*attributes*/, Tensor& /*x*/, Tensor& y) override { zeros(y); }
  void softmax(Tensor& /*x*/, Tensor& y) override { zeros(y); }
  void normalizeImage(const ImageNormalization& /*n*/, Tensor& /*pixels*/, Tensor& y) override { zeros(y); }
  Arrival topK(Tensor& /*x*/, int64_t /*k*/, TopK& /*best*/) override { return {}; }
  void synchronize() override {}
};

inline DeviceDescription fakeDevice(uint64_t memory = uint64_t{1} << 30U) {
  return {"fake:0", "fake", "fake 1", memory, [](EngineMemory&) { return std::make_unique<FakeEngine>(); }};
}

inline TensorPtr tensor(Shape shape, DType dtype = DType::Float32) {
  return std::make_shared<Tensor>(std::move(shape), dtype);
}

// Queues what gives y a storage of zeros.
inline void makeZeros(Device& device, const TensorPtr& y) {
  device.submit({{}, {y}, [y](Engine& engine) { engine.zeros(*y); }});
}

}  // namespace cudnn_resnet::test
