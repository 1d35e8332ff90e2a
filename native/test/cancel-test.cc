// What Device::cancel keeps from being computed, and what it must not.
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "core/recording.h"
#include "fake-engine.h"
#include "outcome.h"

namespace cudnn_resnet {
namespace {

using test::fakeDevice;
using test::readOutcome;
using test::tensor;

// A device whose queue waits until the test has queued all it wants.
class Cancel : public ::testing::Test {
 protected:
  Cancel() {
    device.call([this](Engine&) { mayGo.get_future().wait(); }, [](const Outcome&) {});
    device.submit({{}, {x}, [this](Engine& engine) { engine.zeros(*x); }});
  }

  // A tensor computed from `inputs`; what was computed is noted.
  TensorPtr made(const std::vector<TensorPtr>& inputs, bool pure = true) {
    const auto y = tensor({4});
    device.submit({inputs,
                   {y},
                   [this, y](Engine& engine) {
                     engine.zeros(*y);
                     computed.push_back(y.get());
                   },
                   pure});
    return y;
  }

  // JavaScript reads y and aborts that.
  void aborted(const TensorPtr& y) {
    device.read(
        y, [](Engine&) { return Arrival(); }, [this](const Outcome& error) { aborts.push_back(error); });
    device.cancel(y);
  }

  void abandon(const std::vector<TensorPtr>& tensors) {
    for (TensorPtr y : tensors) {
      device.release(std::move(y));
    }
  }

  // The result of a program that runs: `meanwhile` is done within the first of its two steps.
  TensorPtr running(std::function<void()> meanwhile) {
    const auto recording = std::make_shared<Recording>();
    const auto input = recording->input({4}, DType::Float32);
    const auto first = tensor({4});
    device.submit({{input},
                   {first},
                   [this, first, meanwhile = std::move(meanwhile)](Engine& engine) {
                     engine.zeros(*first);
                     begun.set_value();
                     meanwhile();
                   },
                   true});
    const auto second = made({first});
    auto result = tensor({4});
    device.run(recording->end({second}), {x}, {result});
    mayGo.set_value();
    begun.get_future().wait();
    return result;
  }

  void go() {
    mayGo.set_value();
    test::drained(device);
  }

  std::promise<void> mayGo;
  std::promise<void> begun;
  std::vector<Tensor*> computed;
  std::vector<Outcome> aborts;
  TensorPtr x = tensor({4});
  Device device{fakeDevice()};
};

TEST_F(Cancel, AChainThatNobodyElseSees) {
  const auto a = made({x});
  const auto b = made({a});
  const auto c = made({b});
  abandon({a, b});
  aborted(c);
  go();
  EXPECT_TRUE(computed.empty());
  ASSERT_EQ(aborts.size(), 1U);
  EXPECT_EQ(aborts[0]->code(), ErrorCode::Aborted);
  EXPECT_EQ(readOutcome(device, x), nullptr);
  EXPECT_EQ(readOutcome(device, c)->code(), ErrorCode::Aborted);
}

TEST_F(Cancel, BothWaysAroundAShortcut) {
  const auto a = made({x});
  const auto b = made({a});
  const auto sum = made({a, b});
  const auto twice = made({sum, sum});
  abandon({a, b, sum});
  aborted(twice);
  go();
  EXPECT_TRUE(computed.empty());
}

TEST_F(Cancel, WhatAnotherOperationReadsIsComputed) {
  const auto a = made({x});
  const auto b = made({a});
  const auto other = made({a});
  abandon({a});
  aborted(b);
  go();
  EXPECT_EQ(computed, (std::vector{a.get(), other.get()}));
}

TEST_F(Cancel, WhatJavaScriptStillHoldsIsComputed) {
  const auto a = made({x});
  aborted(made({a}));
  go();
  EXPECT_EQ(computed, std::vector{a.get()});
}

TEST_F(Cancel, WhatIsReadTwiceIsComputed) {
  const auto a = made({x});
  Outcome other = std::make_shared<Error>(ErrorCode::Native, "not read");
  device.read(
      a, [](Engine&) { return Arrival(); }, [&](Outcome error) { other = std::move(error); });
  aborted(a);
  go();
  EXPECT_EQ(computed, std::vector{a.get()});
  EXPECT_EQ(other, nullptr);
}

TEST_F(Cancel, WhatTwoAbortedReadingsNeededIsNotComputed) {
  const auto a = made({x});
  const auto b = made({a});
  const auto c = made({a});
  abandon({a});
  aborted(b);
  aborted(c);
  aborted(c);
  go();
  EXPECT_TRUE(computed.empty());
}

TEST_F(Cancel, AnOperationWhoseOtherResultIsWantedRuns) {
  const auto pair = [&] {
    const std::vector<TensorPtr> both{tensor({4}), tensor({4})};
    device.submit({{x},
                   both,
                   [this, both](Engine& engine) {
                     for (const auto& y : both) {
                       engine.zeros(*y);
                       computed.push_back(y.get());
                     }
                   },
                   true});
    return both;
  };
  const auto held = pair();
  aborted(held[0]);
  const auto readOn = pair();
  const auto sum = made({readOn[1]});
  abandon({readOn[1]});
  aborted(readOn[0]);
  const auto unwanted = pair();
  abandon({unwanted[1]});
  aborted(unwanted[0]);
  go();
  EXPECT_EQ(computed,
            (std::vector{held[0].get(), held[1].get(), readOn[0].get(), readOn[1].get(), sum.get()}));
}

TEST_F(Cancel, AnOperationWithEffectsRuns) {
  const auto a = made({x}, false);
  const auto b = made({a});
  abandon({a});
  aborted(b);
  go();
  EXPECT_EQ(computed, std::vector{a.get()});
}

TEST_F(Cancel, WhatHasItsValuesKeepsThem) {
  const auto a = made({x});
  go();
  aborted(a);
  EXPECT_EQ(readOutcome(device, a), nullptr);
  EXPECT_EQ(aborts, std::vector<Outcome>{nullptr});
}

TEST_F(Cancel, AProgramThatRuns) {
  std::promise<void> mayGoOn;
  const auto result = running([&] { mayGoOn.get_future().wait(); });
  aborted(result);
  mayGoOn.set_value();
  test::drained(device);
  EXPECT_TRUE(computed.empty());
  ASSERT_EQ(aborts.size(), 1U);
  EXPECT_EQ(aborts[0]->code(), ErrorCode::Aborted);
}

TEST_F(Cancel, ADeviceThatIsClosedStopsAProgramThatRuns) {
  (void)running([] { std::this_thread::sleep_for(std::chrono::milliseconds(50)); });
  device.close();
  EXPECT_TRUE(computed.empty());
}

}  // namespace
}  // namespace cudnn_resnet
