#include "core/transfer.h"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <future>
#include <memory>
#include <thread>

#include "fake-engine.h"
#include "outcome.h"

namespace cudnn_resnet {
namespace {

using test::fakeDevice;
using test::readOutcome;
using test::tensor;

constexpr std::array<float, 3> values{1.5F, -2, 3};

TensorPtr uploaded(Device& device) {
  const auto x = tensor({3});
  device.submit({{}, {x}, [x](Engine& engine) { engine.upload(values.data(), *x); }});
  return x;
}

std::array<float, 3> downloaded(Device& device, const TensorPtr& x) {
  std::array<float, 3> out{};
  EXPECT_EQ(readOutcome(device, x, [&](Engine& engine) { return engine.fetch(*x, out.data()); }), nullptr);
  return out;
}

TEST(Transfer, MovesValuesBetweenDevicesAndWithinOne) {
  Device a(fakeDevice());
  Device b(fakeDevice());
  const auto x = uploaded(a);
  const auto y = tensor({3});
  transfer(a, x, b, y);
  EXPECT_EQ(downloaded(b, y), values);
  const auto z = tensor({3});
  transfer(b, y, b, z);
  EXPECT_EQ(downloaded(b, z), values);
}

TEST(Transfer, PassesTheErrorOn) {
  Device a(fakeDevice());
  Device b(fakeDevice());
  const auto x = tensor({3});
  a.submit({{}, {x}, [](Engine&) { throw Error(ErrorCode::Backend, "failed over there"); }});
  const auto y = tensor({3});
  transfer(a, x, b, y);
  const Outcome error = readOutcome(b, y);
  ASSERT_NE(error, nullptr);
  EXPECT_EQ(error->code(), ErrorCode::Backend);
  EXPECT_STREQ(error->what(), "failed over there");
}

TEST(Transfer, TwoDevicesThatWaitForEachOtherDoNotLock) {
  Device a(fakeDevice());
  Device b(fakeDevice());
  TensorPtr onA = uploaded(a);
  for (int i = 0; i < 500; ++i) {
    const auto onB = tensor({3});
    transfer(a, onA, b, onB);
    onA = tensor({3});
    transfer(b, onB, a, onA);
  }
  EXPECT_EQ(downloaded(a, onA), values);
}

TEST(Transfer, ADeviceThatClosesFirstLeavesNoOneWaiting) {
  for (int i = 0; i < 50; ++i) {
    Device b(fakeDevice());
    {
      Device a(fakeDevice());
      const auto x = uploaded(a);
      std::promise<void> gate;
      a.call([&](Engine&) { gate.get_future().wait(); }, [](const Outcome&) {});
      const auto y = tensor({3});
      transfer(a, x, b, y);
      gate.set_value();
      a.close();
    }
    test::drained(b);
  }
}

// As environments close theirs: in no order, while they may be held.
TEST(Transfer, DevicesCloseWhileOneWaitsForAnotherThatIsHeld) {
  for (const bool waitingFirst : {true, false}) {
    Device a(fakeDevice());
    Device b(fakeDevice());
    const auto x = uploaded(a);
    test::drained(a);
    a.hold();
    transfer(a, x, b, tensor({3}));
    for (Device* device : {&a, &b}) {
      device->beginClose();
    }
    for (Device* device : waitingFirst ? std::array{&b, &a} : std::array{&a, &b}) {
      device->close();
    }
  }
}

// Its queue waits for values that never arrive.
TEST(Transfer, ADeviceClosesWhileItWaitsForItselfAndIsHeld) {
  struct ArrivingEngine : test::FakeEngine {
    Arrival fetch(Tensor& x, void* data) override {
      (void)FakeEngine::fetch(x, data);
      return [] {};
    }
  };
  DeviceDescription description = fakeDevice();
  description.open = [](EngineMemory&) { return std::make_unique<ArrivingEngine>(); };
  Device device(description);
  const auto x = uploaded(device);
  std::promise<void> mayArrive;
  device.read(
      x, [&](Engine&) -> Arrival { return [&] { mayArrive.get_future().wait(); }; }, [](const Outcome&) {});
  transfer(device, x, device, tensor({3}));
  while (x->pendingReads > 0) {
    std::this_thread::yield();
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // so that the queue waits by then
  device.hold();
  mayArrive.set_value();
  device.close();
}

TEST(Transfer, WhatCouldNeverBeMadeCountsNoBytes) {
  Device a(fakeDevice(1000));
  Device b(fakeDevice());
  const auto x = uploaded(a);
  test::drained(a);
  a.hold();
  transfer(a, x, b, tensor({3}));
  const auto large = tensor({1 << 28});
  a.submit({{}, {large}, [](Engine&) {}});
  const auto y = tensor({1 << 28});
  transfer(a, large, b, y);
  EXPECT_EQ(a.backlog().pending().bytes, x->bytes());
  a.resume();
  EXPECT_EQ(readOutcome(b, y)->code(), ErrorCode::OutOfMemory);
}

// The copy on the host counts where it comes from and where it goes.
TEST(Transfer, CountsTheBytesThatWait) {
  Device a(fakeDevice());
  Device b(fakeDevice());
  const auto x = uploaded(a);
  test::drained(a);
  a.hold();
  const auto y = tensor({3});
  transfer(a, x, b, y);
  EXPECT_EQ(a.backlog().pending().bytes, x->bytes());
  EXPECT_EQ(b.backlog().pending().bytes, x->bytes());
  for (Device* full : {&a, &b}) {
    const Backlog::Amount before = full->backlog().limit();
    full->backlog().setLimit({100, x->bytes()});
    EXPECT_THROW(transfer(a, x, b, tensor({3})), Error);
    full->backlog().setLimit(before);
  }
  a.resume();
  EXPECT_EQ(downloaded(b, y), values);
  test::drained(a);
  EXPECT_EQ(a.backlog().pending().bytes, 0U);
  EXPECT_EQ(b.backlog().pending().bytes, 0U);
}

}  // namespace
}  // namespace cudnn_resnet
