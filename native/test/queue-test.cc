#include "core/queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <thread>
#include <vector>

namespace cudnn_resnet {
namespace {

TEST(Queue, RunsTasksInOrderOnOneThreadOfItsOwn) {
  std::vector<int> order;
  std::vector<std::thread::id> threads;
  std::promise<void> end;
  Queue queue;
  for (int i = 0; i < 1000; ++i) {
    queue.post([&, i] {
      order.push_back(i);
      threads.push_back(std::this_thread::get_id());
    });
  }
  queue.post([&] { end.set_value(); });
  end.get_future().wait();
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(order[static_cast<size_t>(i)], i);
    ASSERT_EQ(threads[static_cast<size_t>(i)], threads[0]);
  }
  EXPECT_NE(threads[0], std::this_thread::get_id());
}

TEST(Queue, BeginsNothingWhileItIsHeld) {
  std::promise<void> started;
  std::promise<void> mayEnd;
  std::atomic<int> ran = 0;
  Queue queue;
  queue.post([&] {
    started.set_value();
    mayEnd.get_future().wait();
    ++ran;
  });
  queue.post([&] { ++ran; });
  started.get_future().wait();
  queue.hold();
  using Clock = std::chrono::steady_clock;
  EXPECT_FALSE(queue.waitUntilIdle(Clock::now() + std::chrono::milliseconds(1)));
  EXPECT_EQ(ran, 0);
  mayEnd.set_value();
  EXPECT_TRUE(queue.waitUntilIdle(Clock::now() + std::chrono::minutes(1)));
  EXPECT_EQ(ran, 1);
  std::promise<void> end;
  queue.post([&] { end.set_value(); });
  const std::future<void> ended = end.get_future();
  EXPECT_EQ(ended.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  queue.resume();
  ended.wait();
  EXPECT_EQ(ran, 2);
}

TEST(Queue, StopsWhereNothingWasPosted) {
  std::thread::id lastThread;
  Queue queue;
  queue.beginStop([&] { lastThread = std::this_thread::get_id(); });
  queue.stop();
  EXPECT_EQ(lastThread, std::this_thread::get_id());
  queue.post([&] { lastThread = {}; });
  queue.beginStop([&] { lastThread = {}; });
  queue.stop();
  EXPECT_EQ(lastThread, std::this_thread::get_id());
}

TEST(Queue, StopsWhileItIsHeld) {
  std::atomic<bool> ran = false;
  Queue queue;
  queue.hold();
  queue.post([&] { ran = true; });
  queue.stop();
  EXPECT_FALSE(ran);
}

TEST(Queue, StopWaitsForTheTaskThatRunsAndDropsTheRest) {
  std::promise<void> started;
  std::promise<void> mayEnd;
  std::atomic<bool> ended = false;
  std::atomic<int> later = 0;
  std::atomic<bool> lastRan = false;
  Queue queue;
  queue.post([&] {
    started.set_value();
    mayEnd.get_future().wait();
    ended = true;
  });
  for (int i = 0; i < 10; ++i) {
    queue.post([&] { ++later; });
  }
  started.get_future().wait();
  std::thread release([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // so that stop() is waiting by then
    mayEnd.set_value();
  });
  queue.beginStop([&] { lastRan = true; });
  queue.stop();
  EXPECT_TRUE(ended);
  EXPECT_TRUE(lastRan);
  EXPECT_EQ(later, 0);
  release.join();
}

TEST(Queue, LastRunsOnTheQueuesThreadAfterWhatTheDroppedTasksHeldIsGone) {
  std::promise<void> started;
  std::promise<void> mayEnd;
  const auto held = std::make_shared<int>(1);
  std::thread::id taskThread;
  std::thread::id lastThread;
  long holdersAtLast = -1;
  Queue queue;
  queue.post([&] {
    taskThread = std::this_thread::get_id();
    started.set_value();
    mayEnd.get_future().wait();
  });
  queue.post([held] {});
  started.get_future().wait();
  EXPECT_EQ(held.use_count(), 2);
  mayEnd.set_value();
  queue.beginStop([&] {
    lastThread = std::this_thread::get_id();
    holdersAtLast = held.use_count();
  });
  queue.stop();
  EXPECT_EQ(lastThread, taskThread);
  EXPECT_EQ(holdersAtLast, 1);
}

TEST(Queue, WhatIsPostedAfterStopIsDroppedAtOnce) {
  const auto held = std::make_shared<int>(1);
  bool ran = false;
  Queue queue;
  queue.stop();
  queue.post([&ran, held] { ran = true; });
  EXPECT_EQ(held.use_count(), 1);
  queue.beginStop([&] { ran = true; });  // only the first counts
  queue.stop();
  EXPECT_FALSE(ran);
}

TEST(Queue, WhatATaskHeldIsFreedOnTheQueuesThread) {
  std::thread::id ranOn;
  std::promise<std::thread::id> freedOn;
  Queue queue;
  std::shared_ptr<int> held(new int, [&](const int* pointer) {
    delete pointer;
    freedOn.set_value(std::this_thread::get_id());
  });
  queue.post([&ranOn, moved = std::move(held)] { ranOn = std::this_thread::get_id(); });
  const auto freed = freedOn.get_future().get();
  EXPECT_EQ(freed, ranOn);
}

TEST(Queue, TakesTasksFromManyThreads) {
  std::atomic<int> ran = 0;
  {
    Queue queue;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 500; ++i) {
          queue.post([&] { ++ran; });
        }
      });
    }
    for (auto& thread : threads) {
      thread.join();
    }
    std::promise<void> end;
    queue.post([&] { end.set_value(); });
    end.get_future().wait();
  }
  EXPECT_EQ(ran, 2000);
}

TEST(Queue, AThousandLivesLeaveNothingBehind) {
  for (int i = 0; i < 1000; ++i) {
    Queue queue;
    queue.post([] {});
  }
}

}  // namespace
}  // namespace cudnn_resnet
