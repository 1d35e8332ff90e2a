#include "core/backlog.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "core/error.h"
#include "core/queue.h"

namespace cudnn_resnet {
namespace {

bool hasRoom(const Backlog& backlog, size_t bytes = 0) {
  try {
    backlog.requireRoom(bytes);
    return true;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::Busy);
    return false;
  }
}

TEST(Backlog, RefusesWhatIsBeyondTheLimit) {
  Backlog backlog({2, 100});
  EXPECT_TRUE(hasRoom(backlog));
  backlog.enter(60);
  EXPECT_TRUE(hasRoom(backlog, 40));
  EXPECT_FALSE(hasRoom(backlog, 41));
  backlog.enter(0);
  EXPECT_FALSE(hasRoom(backlog));
  backlog.leave(60);
  EXPECT_TRUE(hasRoom(backlog, 100));
  EXPECT_EQ(backlog.pending().operations, 1U);
  EXPECT_EQ(backlog.pending().bytes, 0U);
}

TEST(Backlog, WhatIsLargerThanTheLimitIsLetInAlone) {
  Backlog backlog({10, 100});
  EXPECT_TRUE(hasRoom(backlog, 1000));
  backlog.enter(1000);
  EXPECT_FALSE(hasRoom(backlog, 1));
  EXPECT_TRUE(hasRoom(backlog, 0));
  backlog.leave(1000);
  EXPECT_TRUE(hasRoom(backlog, SIZE_MAX));
}

TEST(Backlog, ALimitOfNothingLetsInOneAfterTheOther) {
  Backlog backlog({0, 0});
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(backlog.halfEmpty());
    EXPECT_TRUE(hasRoom(backlog, 10));
    backlog.enter(10);
    EXPECT_FALSE(backlog.halfEmpty());
    EXPECT_FALSE(hasRoom(backlog));
    backlog.leave(10);
  }
}

TEST(Backlog, TellsWhenHalfOfTheLimitIsFree) {
  Backlog backlog({4, 100});
  int told = 0;
  backlog.whenHalfEmpty([&] { ++told; });
  EXPECT_EQ(told, 1);
  for (const size_t bytes : {10, 10, 60}) {
    backlog.enter(bytes);
  }
  backlog.whenHalfEmpty([&] { ++told; });
  backlog.whenHalfEmpty([&] { ++told; });
  backlog.leave(10);
  EXPECT_EQ(told, 1);  // two operations are half, 70 bytes are not
  backlog.leave(60);
  EXPECT_EQ(told, 3);
}

TEST(Backlog, IsSharedByTwoThreads) {
  Backlog backlog({100, 1000});
  std::atomic<int> ran = 0;
  {
    Queue queue;
    for (int i = 0; i < 20000; ++i) {
      while (!hasRoom(backlog, 10)) {
        std::promise<void> ready;
        backlog.whenHalfEmpty([&] { ready.set_value(); });
        ready.get_future().wait();
      }
      backlog.enter(10);
      EXPECT_LE(backlog.pending().operations, 100U);
      queue.post([&] {
        ++ran;
        backlog.leave(10);
      });
    }
    std::promise<void> end;
    queue.post([&] { end.set_value(); });
    end.get_future().wait();
  }
  EXPECT_EQ(ran, 20000);
  EXPECT_EQ(backlog.pending().operations, 0U);
  EXPECT_EQ(backlog.pending().bytes, 0U);
}

}  // namespace
}  // namespace cudnn_resnet
