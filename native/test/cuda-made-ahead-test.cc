#include "cuda/made-ahead.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace cudnn_resnet::cuda {
namespace {

using Ahead = MadeAhead<int>;

// Opened once, by one thread, for all that wait.
class Gate {
 public:
  void open() {
    const std::scoped_lock lock(mutex_);
    open_ = true;
    opened_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    opened_.wait(lock, [&] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable opened_;
  bool open_ = false;
};

class MadeAheadTest : public testing::Test {
 protected:
  void SetUp() override {
    if (usableCores() < 2) {
      GTEST_SKIP() << "with one core nothing is made ahead";
    }
  }
  void TearDown() override { EXPECT_EQ(threadsAhead, 0); }
};

TEST_F(MadeAheadTest, MakesTheLastFirstAndEachOnce) {
  constexpr int count = 100;
  std::vector<std::atomic<int>> made(count);
  Gate begun;
  std::vector<Ahead::Item> items;
  for (int i = 0; i < count; ++i) {
    items.push_back({std::to_string(i), [&, i] {
                       if (i == count - 1) {
                         begun.open();
                       }
                       ++made[static_cast<size_t>(i)];
                       return i * i;
                     }});
  }
  Ahead ahead(std::move(items));
  begun.wait();
  int others = 0;
  for (int i = 0; i < count; ++i) {
    const auto value = ahead.take(std::to_string(i));
    others += value ? 1 : 0;
    EXPECT_EQ(value.value_or(i * i), i * i);
    EXPECT_EQ(made[static_cast<size_t>(i)], value ? 1 : 0);
  }
  EXPECT_GE(others, 1);
}

TEST_F(MadeAheadTest, WaitsForWhatIsUnderWay) {
  Gate begun;
  Gate end;
  Ahead ahead({{"first", [] { return 1; }}, {"last", [&] {
                                               begun.open();
                                               end.wait();
                                               return 2;
                                             }}});
  begun.wait();
  EXPECT_EQ(ahead.take("first"), std::nullopt) << "the one other thread is at the last";
  std::thread ends([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    end.open();
  });
  EXPECT_EQ(ahead.take("last"), 2);
  EXPECT_EQ(ahead.take("last"), std::nullopt) << "taken already";
  EXPECT_EQ(ahead.take("unheard of"), std::nullopt);
  ends.join();
}

TEST_F(MadeAheadTest, PassesAnErrorOn) {
  Gate begun;
  Ahead ahead({{"first", [] { return 1; }}, {"last", [&]() -> int {
                                               begun.open();
                                               throw std::runtime_error("refused");
                                             }}});
  begun.wait();
  EXPECT_THROW((void)ahead.take("last"), std::runtime_error);
}

TEST_F(MadeAheadTest, BeginsNothingMoreOnceItEnds) {
  Gate begun;
  Gate end;
  std::atomic<int> made{0};
  std::vector<Ahead::Item> items;
  for (int i = 0; i < 1000; ++i) {
    items.push_back({std::to_string(i), [&] {
                       begun.open();
                       end.wait();
                       return ++made;
                     }});
  }
  std::thread ends([&] {
    begun.wait();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    end.open();
  });
  {
    const Ahead ahead(std::move(items));
    begun.wait();
  }
  ends.join();
  EXPECT_LT(made, std::min(usableCores(), mostThreads));
}

// Each thread that asks works too.
TEST_F(MadeAheadTest, TakesNoMoreThreadsThanThereAreCores) {
  Gate end;
  const auto wait = [&] {
    end.wait();
    return 0;
  };
  {
    std::vector<std::unique_ptr<Ahead>> all;
    for (int i = 0; i < 3; ++i) {
      all.push_back(std::make_unique<Ahead>(std::vector<Ahead::Item>(100, {"", wait})));
    }
    EXPECT_EQ(threadsAhead, std::min(usableCores(), mostThreads) - 1);
    end.open();
  }
  EXPECT_EQ(threadsAhead, 0);
  const Ahead one({{"", wait}});
  EXPECT_EQ(threadsAhead, 0) << "the thread that asks makes it";
}

}  // namespace
}  // namespace cudnn_resnet::cuda
