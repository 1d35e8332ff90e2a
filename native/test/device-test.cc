#include "core/device.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>

#include "core/host.h"
#include "fake-engine.h"
#include "outcome.h"

namespace cudnn_resnet {
namespace {

using test::drained;
using test::fakeDevice;
using test::makeZeros;
using test::readOutcome;
using test::tensor;

TEST(Device, AnErrorIsPassedOnThroughWhatIsMadeFromIt) {
  Device device(fakeDevice());
  const auto a = tensor({4});
  const auto b = tensor({4});
  const auto c = tensor({4});
  bool ran = false;
  device.submit({{}, {a}, [](Engine&) { throw Error(ErrorCode::Backend, "the first failure"); }});
  device.submit({{a}, {b}, [&](Engine&) { ran = true; }});
  device.submit({{b}, {c}, [&](Engine&) { ran = true; }});
  const Outcome error = readOutcome(device, c);
  ASSERT_NE(error, nullptr);
  EXPECT_EQ(error->code(), ErrorCode::Backend);
  EXPECT_STREQ(error->what(), "the first failure");
  EXPECT_FALSE(ran);
  EXPECT_TRUE(a->failed);
  EXPECT_TRUE(c->failed);
}

TEST(Device, OfSeveralPoisonedInputsTheFirstCounts) {
  Device device(fakeDevice());
  const auto a = tensor({1});
  const auto b = tensor({1});
  const auto y = tensor({1});
  device.submit({{}, {a}, [](Engine&) { throw Error(ErrorCode::OutOfMemory, "a"); }});
  device.submit({{}, {b}, [](Engine&) { throw Error(ErrorCode::Backend, "b"); }});
  device.submit({{b, a}, {y}, [](Engine&) {}});
  EXPECT_STREQ(readOutcome(device, y)->what(), "b");
}

TEST(Device, AFailureLeavesInputsAndTheDeviceAsTheyWere) {
  Device device(fakeDevice());
  const auto x = tensor({4});
  const auto y = tensor({4});
  makeZeros(device, x);
  device.submit({{x}, {y}, [](Engine&) { throw Error(ErrorCode::OutOfMemory, "none left"); }});
  EXPECT_EQ(readOutcome(device, y)->code(), ErrorCode::OutOfMemory);
  EXPECT_EQ(readOutcome(device, x), nullptr);
  EXPECT_EQ(drained(device), nullptr);
}

TEST(Device, AWriteThatSucceedsHealsAPoisonedTensor) {
  Device device(fakeDevice());
  const auto y = tensor({4});
  device.submit({{}, {y}, [](Engine&) { throw std::runtime_error("odd"); }});
  EXPECT_EQ(readOutcome(device, y)->code(), ErrorCode::Native);
  EXPECT_TRUE(y->failed);
  makeZeros(device, y);
  EXPECT_EQ(readOutcome(device, y), nullptr);
  EXPECT_FALSE(y->failed);
}

TEST(Device, AFailedWriteTakesTheOldValuesToo) {
  Device device(fakeDevice());
  const auto y = tensor({4});
  makeZeros(device, y);
  device.submit({{}, {y}, [](Engine&) { throw std::bad_alloc(); }});
  EXPECT_EQ(readOutcome(device, y)->code(), ErrorCode::OutOfMemory);
  EXPECT_EQ(y->storage, nullptr);
}

TEST(Device, ATensorWithoutValuesIsAnErrorOfWeights) {
  Device device(fakeDevice());
  EXPECT_EQ(readOutcome(device, tensor({2, 3}))->code(), ErrorCode::Weights);
}

TEST(Device, ALostDeviceStaysLost) {
  Device device(fakeDevice());
  const auto before = tensor({1});
  makeZeros(device, before);
  const auto lose = [](Engine&) -> Arrival { throw Error(ErrorCode::DeviceLost, "sticky"); };
  EXPECT_EQ(readOutcome(device, before, lose)->code(), ErrorCode::DeviceLost);
  EXPECT_STREQ(readOutcome(device, before)->what(), "sticky");
  EXPECT_EQ(drained(device)->code(), ErrorCode::DeviceLost);
  const auto after = tensor({1});
  makeZeros(device, after);
  EXPECT_EQ(readOutcome(device, after)->code(), ErrorCode::DeviceLost);
}

TEST(Device, AnEngineThatCannotOpenIsReportedByEveryCall) {
  DeviceDescription description = fakeDevice();
  description.open = [](EngineMemory&) -> std::unique_ptr<Engine> {
    throw Error(ErrorCode::Device, "no such device after all");
  };
  Device device(description);
  EXPECT_EQ(drained(device)->code(), ErrorCode::Device);
  EXPECT_STREQ(drained(device)->what(), "no such device after all");
}

TEST(Device, ATensorBeyondTheLimitFailsBeforeTheEngineIsAsked) {
  Device device(fakeDevice(1000));
  bool ran = false;
  const auto large = tensor({251});
  device.submit({{}, {large}, [&](Engine&) { ran = true; }});
  EXPECT_EQ(readOutcome(device, large)->code(), ErrorCode::OutOfMemory);
  EXPECT_FALSE(ran);
  const auto small = tensor({250});
  makeZeros(device, small);
  EXPECT_EQ(readOutcome(device, small), nullptr);
  device.memory().limit = 10;
  const auto now = tensor({250});
  makeZeros(device, now);
  EXPECT_EQ(readOutcome(device, now)->code(), ErrorCode::OutOfMemory);
}

TEST(Device, LimitsWhatWaitsToAQuarterOfItsMemoryOrTheHosts) {
  EXPECT_EQ(Device(fakeDevice(1000)).backlog().limit().operations, 100'000U);
  EXPECT_EQ(Device(fakeDevice(1000)).backlog().limit().bytes, 250U);
  EXPECT_EQ(Device(fakeDevice(UINT64_MAX)).backlog().limit().bytes, usableHostMemory() / 4);
}

// What an engine may rely on to write a result into the memory of an input.
class LastRead : public testing::Test {
 protected:
  Device device{fakeDevice()};
  TensorPtr x = tensor({4});
  std::vector<bool> seen;

  void SetUp() override { makeZeros(device, x); }

  void use(std::vector<TensorPtr> inputs) {
    device.submit({std::move(inputs), {tensor({4})}, [this, watched = x](Engine&) {
                     seen.push_back(watched->lastRead());
                   }});
  }

  // Holds the queue until the returned promise is kept, so that all is submitted before anything runs.
  std::shared_ptr<std::promise<void>> held() {
    auto gate = std::make_shared<std::promise<void>>();
    device.call([gate](Engine&) { gate->get_future().wait(); }, [](const Outcome&) {});
    return gate;
  }
};

TEST_F(LastRead, NotWhileJavaScriptHoldsTheTensor) {
  use({x});
  drained(device);
  EXPECT_EQ(seen, (std::vector<bool>{false}));
}

TEST_F(LastRead, OnlyTheLastOfSeveralOperations) {
  const auto gate = held();
  use({x});
  use({x});
  use({x});
  device.release(x);
  gate->set_value();
  drained(device);
  EXPECT_EQ(seen, (std::vector<bool>{false, false, true}));
}

TEST_F(LastRead, NotWhereOneOperationReadsItTwice) {
  const auto gate = held();
  use({x, x});
  device.release(x);
  gate->set_value();
  drained(device);
  EXPECT_EQ(seen, (std::vector<bool>{false}));
}

TEST_F(LastRead, NotBeforeAReadThatWaits) {
  const auto gate = held();
  use({x});
  Outcome outcome = std::make_shared<Error>(ErrorCode::Native, "not called");
  device.read(
      x, [](Engine&) { return Arrival(); }, [&](Outcome error) { outcome = std::move(error); });
  device.release(x);
  gate->set_value();
  drained(device);
  EXPECT_EQ(seen, (std::vector<bool>{false}));
  EXPECT_EQ(outcome, nullptr);
}

TEST(Device, StorageIsFreedOnTheQueueAfterWhatUsesIt) {
  Device device(fakeDevice());
  auto x = tensor({4});
  makeZeros(device, x);
  const std::weak_ptr<Tensor> watched = x;
  std::atomic<bool> aliveAtUse = false;
  device.submit({{x}, {tensor({4})}, [&](Engine&) { aliveAtUse = !watched.expired(); }});
  device.release(std::move(x));
  drained(device);
  EXPECT_TRUE(aliveAtUse);
  EXPECT_TRUE(watched.expired());
}

TEST(Device, CloseEndsWhatWaitsAndDropsTheRest) {
  auto engineGone = std::make_shared<std::atomic<bool>>(false);
  struct Watched : test::FakeEngine {
    explicit Watched(std::shared_ptr<std::atomic<bool>> flag) : gone(std::move(flag)) {}
    ~Watched() override { *gone = true; }
    std::shared_ptr<std::atomic<bool>> gone;
  };
  DeviceDescription description = fakeDevice();
  description.open = [&](EngineMemory&) { return std::make_unique<Watched>(engineGone); };
  Device device(description);
  std::promise<void> started;
  std::promise<void> mayEnd;
  std::atomic<int> done = 0;
  device.call(
      [&](Engine&) {
        started.set_value();
        mayEnd.get_future().wait();
      },
      [&](const Outcome&) { ++done; });
  device.call([](Engine&) {}, [&](const Outcome&) { ++done; });
  started.get_future().wait();
  mayEnd.set_value();
  device.close();
  EXPECT_TRUE(*engineGone);
  const int atClose = done;
  EXPECT_GE(atClose, 1);  // the one that ran; the other may have been begun before close() was seen
  device.close();         // again does nothing
  const auto late = tensor({1});
  makeZeros(device, late);
  device.call([](Engine&) {}, [&](const Outcome&) { ++done; });
  device.release(late);
  EXPECT_EQ(done, atClose);
  EXPECT_EQ(late->storage, nullptr);
}

// A reading whose values arrive when the test says so.
struct SlowReading {
  std::promise<void> begun;
  std::promise<void> mayArrive;
  std::promise<Outcome> outcome;
  std::shared_ptr<int> held = std::make_shared<int>(0);  // by the arrival

  void begin(
      Device& device, const TensorPtr& x, const std::function<void()>& arrive = [] {}) {
    const auto read = [this, arrive](Engine&) -> Arrival {
      return [this, arrive, held = held] {
        begun.set_value();
        mayArrive.get_future().wait();
        arrive();
      };
    };
    device.read(
        x, read, [this](Outcome error) { outcome.set_value(std::move(error)); }, 100);
  }
};

TEST(Device, TheQueueGoesOnWhileValuesArrive) {
  Device device(fakeDevice());
  const auto x = tensor({1});
  makeZeros(device, x);
  SlowReading reading;
  reading.begin(device, x);
  EXPECT_EQ(drained(device), nullptr);
  EXPECT_EQ(x->pendingReads, 0) << "the values were taken";
  EXPECT_EQ(device.backlog().pending().bytes, 100U) << "but the buffer is still to be written";
  reading.mayArrive.set_value();
  EXPECT_EQ(reading.outcome.get_future().get(), nullptr);
  EXPECT_EQ(device.backlog().pending().operations, 0U);
  EXPECT_EQ(drained(device), nullptr);
  EXPECT_EQ(reading.held.use_count(), 1) << "the queue's thread has freed what the arrival held";
}

TEST(Device, AnErrorOnArrivalIsReportedAndALossLatched) {
  Device device(fakeDevice());
  const auto x = tensor({1});
  makeZeros(device, x);
  const auto outcomeOf = [&](ErrorCode code) {
    SlowReading reading;
    reading.begin(device, x, [code] { throw Error(code, "on arrival"); });
    reading.mayArrive.set_value();
    return reading.outcome.get_future().get()->code();
  };
  EXPECT_EQ(outcomeOf(ErrorCode::Backend), ErrorCode::Backend);
  EXPECT_EQ(readOutcome(device, x), nullptr);
  EXPECT_EQ(outcomeOf(ErrorCode::DeviceLost), ErrorCode::DeviceLost);
  EXPECT_EQ(readOutcome(device, x)->code(), ErrorCode::DeviceLost) << "the next one, at once";
}

#ifdef __GLIBC__
// While it lives the system makes no threads: their stacks would be too large.
class NoMoreThreads {
 public:
  NoMoreThreads() {
    pthread_getattr_default_np(&former_);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, size_t{1} << 60U);
    pthread_setattr_default_np(&attributes);
    pthread_attr_destroy(&attributes);
  }
  NoMoreThreads(const NoMoreThreads&) = delete;
  NoMoreThreads& operator=(const NoMoreThreads&) = delete;
  ~NoMoreThreads() { pthread_setattr_default_np(&former_); }

 private:
  pthread_attr_t former_{};
};

TEST(Device, AReadingFailsWhereTheSystemMakesNoThreadToWaitOn) {
  Device device(fakeDevice());
  const auto x = tensor({1});
  makeZeros(device, x);
  const auto read = [](Engine&) -> Arrival { return [] {}; };
  {
    const NoMoreThreads none;
    const Outcome error = readOutcome(device, x, read);
    ASSERT_NE(error, nullptr);
    EXPECT_EQ(error->code(), ErrorCode::Native);
  }
  EXPECT_EQ(device.backlog().pending().operations, 0U);
  EXPECT_EQ(readOutcome(device, x, read), nullptr);
}
#endif

TEST(Device, CloseWaitsForTheValuesThatArriveAndDropsTheRest) {
  Device device(fakeDevice());
  const auto x = tensor({1});
  makeZeros(device, x);
  SlowReading first;
  SlowReading second;
  std::promise<void> arriving;
  first.begin(device, x, [&] { arriving.set_value(); });
  second.begin(device, x);
  drained(device);
  first.mayArrive.set_value();
  arriving.get_future().wait();
  second.mayArrive.set_value();
  device.close();
  EXPECT_EQ(first.outcome.get_future().get(), nullptr);
  for (const SlowReading* reading : {&first, &second}) {
    EXPECT_EQ(reading->held.use_count(), 1);
  }
}

TEST(Device, NothingArrivesWhileItIsHeld) {
  Device device(fakeDevice());
  const auto x = tensor({1});
  makeZeros(device, x);
  drained(device);
  SlowReading reading;
  reading.mayArrive.set_value();
  device.hold();
  reading.begin(device, x);
  EXPECT_TRUE(device.waitUntilIdle(std::chrono::steady_clock::now() + std::chrono::minutes(1)));
  const std::future<Outcome> outcome = reading.outcome.get_future();
  EXPECT_EQ(outcome.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  device.resume();
  outcome.wait();
}

TEST(Device, WhatWaitsToArriveDoesNotWhileItIsHeld) {
  Device device(fakeDevice());
  const auto x = tensor({1});
  makeZeros(device, x);
  SlowReading first;
  SlowReading second;
  first.begin(device, x);
  second.begin(device, x);
  first.begun.get_future().wait();
  drained(device);
  device.hold();
  EXPECT_FALSE(device.waitUntilIdle(std::chrono::steady_clock::now() + std::chrono::milliseconds(20)))
      << "the first is waited for";
  second.mayArrive.set_value();
  first.mayArrive.set_value();
  EXPECT_TRUE(device.waitUntilIdle(std::chrono::steady_clock::now() + std::chrono::minutes(1)));
  EXPECT_EQ(first.outcome.get_future().get(), nullptr);
  const std::future<Outcome> outcome = second.outcome.get_future();
  EXPECT_EQ(outcome.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  device.resume();
  outcome.wait();
}

TEST(Device, OpensItsEngineAgainWhereThereWasNoMemoryForItAtTheStart) {
  int attempts = 0;
  DeviceDescription description = fakeDevice();
  description.open = [&](EngineMemory&) -> std::unique_ptr<Engine> {
    if (++attempts <= 2) {
      throw Error(ErrorCode::OutOfMemory, "full");
    }
    return std::make_unique<test::FakeEngine>();
  };
  Device device(description);
  const Outcome first = drained(device);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->code(), ErrorCode::OutOfMemory);
  EXPECT_FALSE(drained(device));
  EXPECT_EQ(attempts, 3);
}

TEST(Device, DoesNotTryAgainWhereItsEngineCannotBeOpened) {
  int attempts = 0;
  DeviceDescription description = fakeDevice();
  description.open = [&](EngineMemory&) -> std::unique_ptr<Engine> {
    ++attempts;
    throw Error(ErrorCode::Backend, "not here");
  };
  Device device(description);
  for (int i = 0; i < 3; ++i) {
    const Outcome outcome = drained(device);
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->code(), ErrorCode::Backend);
  }
  EXPECT_EQ(attempts, 1);
}

// Engines have no locks, so whoever holds a tensor last must not free its storage on another thread.
TEST(Device, StorageIsFreedOnTheQueuesThread) {
  struct Watched : Storage {
    explicit Watched(std::atomic<int>& wrong) : wrong(wrong) {}
    ~Watched() override { wrong += std::this_thread::get_id() == made ? 0 : 1; }
    std::atomic<int>& wrong;
    std::thread::id made = std::this_thread::get_id();
  };
  std::atomic<int> wrong = 0;
  Device device(fakeDevice());
  for (int i = 0; i < 5000; ++i) {
    auto x = tensor({1});
    auto y = tensor({1});
    const auto write = [&](const TensorPtr& to) {
      // A pointer that moves with the function: a copy would stay behind in makeY, on this thread.
      return [&wrong, to = TensorPtr(to)](Engine&) { to->storage = std::make_unique<Watched>(wrong); };
    };
    device.submit({{}, {x}, write(x)});
    auto makeY = write(y);
    Operation operation{{x}, {y}, std::move(makeY), true};
    device.release(std::move(x));
    device.submit(std::move(operation));
    device.cancel(y);
    device.release(std::move(y));
  }
  drained(device);
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace cudnn_resnet
