// That what is computed, uploaded and downloaded in streams of its own keeps its order: on the emulated GPU a
// missing event gives wrong values.
#include "streams.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <list>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "cuda/backend.h"
#include "cuda/engine.h"
#include "gpu.h"

namespace cudnn_resnet::cuda {
namespace {

using host_cuda::Busy;
using host_cuda::gpu;
using Values = std::vector<float>;

class StreamsTest : public testing::Test {
 protected:
  void SetUp() override {
    gpu.mend();
    engine_ = backend().devices.at(0).open(memory_);
  }

  // An array whose values all differ from those of any other.
  Values values(int64_t count) {
    Values result(static_cast<size_t>(count));
    for (float& value : result) {
      value = static_cast<float>(next_++ % (1 << 20));
    }
    return result;
  }
  TensorPtr tensor(const Values& of) {
    auto x = std::make_shared<Tensor>(Shape{static_cast<int64_t>(of.size())}, DType::Float32);
    const auto passing = std::make_unique<Values>(of);  // poisoned as soon as it may be
    engine_->upload(passing->data(), *x);
    std::ranges::fill(*passing, -1.0F);
    return x;
  }
  TensorPtr sum(Tensor& a, Tensor& b) { return sum(*engine_, a, b); }
  static TensorPtr sum(Engine& engine, Tensor& a, Tensor& b) {
    auto y = std::make_shared<Tensor>(a.shape, DType::Float32);
    engine.add(Activation::None, a, b, *y);
    return y;
  }
  cudaStream_t computing() { return static_cast<CudaEngine&>(*engine_).stream(); }

  // What was fetched, and what it should be.
  struct Fetched {
    Arrival arrival;
    Values got;
    Values expected;
    void check() {
      if (arrival) {
        arrival();
      }
      EXPECT_EQ(got, expected);
    }
  };
  std::unique_ptr<Fetched> fetch(Tensor& x, const Values& expected) {
    auto fetched = std::make_unique<Fetched>(Fetched{{}, Values(expected.size(), -2), expected});
    fetched->arrival = engine_->fetch(x, fetched->got.data());
    return fetched;
  }

  EngineMemory memory_;
  std::unique_ptr<Engine> engine_;
  int64_t next_ = 0;
};

Values added(const Values& a, const Values& b) {
  Values y(a.size());
  std::ranges::transform(a, b, y.begin(), std::plus{});
  return y;
}

TEST_F(StreamsTest, TheHostAndTheCopiesGoOnWhileTheGpuComputes) {
  std::vector<std::unique_ptr<Fetched>> fetched;
  (void)tensor(values(1000));  // the first two make the memory to land in, and wait for it
  (void)tensor(values(1000));
  engine_->synchronize();
  {
    const Busy busy(computing());
    for (int batch = 0; batch < 3; ++batch) {
      const Values a = values(1000);
      const auto x = tensor(a);
      fetched.push_back(fetch(*sum(*x, *x), added(a, a)));
    }
  }
  for (const auto& one : fetched) {
    one->check();
  }
}

TEST_F(StreamsTest, WhatIsFetchedIsOfThatMoment) {
  const Values a = values(100);
  const Values b = values(100);
  const auto x = tensor(a);
  const auto y = tensor(b);
  const auto before = fetch(*x, a);
  engine_->copy(*y, *x);
  const auto after = fetch(*x, b);
  after->check();
  before->check();
}

TEST_F(StreamsTest, MemoryIsUsedAgainInOrder) {
  constexpr int64_t sizes[] = {1, 300, 300, 1000, 1'200'000};
  for (unsigned seed = 0; seed < 30; ++seed) {
    std::minstd_rand random(seed);
    const auto any = [&](size_t below) { return random() % below; };
    std::vector<std::pair<TensorPtr, Values>> live;
    std::list<std::unique_ptr<Fetched>> fetched;
    for (int step = 0; step < 60; ++step) {
      if (live.empty() || any(3) == 0) {
        const Values a = values(sizes[any(std::size(sizes))]);
        live.emplace_back(tensor(a), a);
      }
      const size_t place = any(live.size());
      auto& [x, a] = live[place];
      switch (any(6)) {
        case 0:
          fetched.push_back(fetch(*x, a));
          break;
        case 1: {
          x = sum(*x, *x);
          a = added(a, a);
          break;
        }
        case 2: {
          const Values b = values(x->size());
          engine_->copy(*tensor(b), *x);
          a = b;
          break;
        }
        case 3:
          live.erase(live.begin() + static_cast<std::ptrdiff_t>(place));
          break;
        case 4:
          if (!fetched.empty()) {
            fetched.front()->check();
            fetched.pop_front();
          }
          break;
        default:
          if (any(8) == 0) {
            engine_->trim();
          }
      }
    }
    for (const auto& one : fetched) {
      one->check();
    }
    for (const auto& [x, a] : live) {
      fetch(*x, a)->check();
    }
  }
}

TEST_F(StreamsTest, UploadsWhatLandsInParts) {
  const Values a = values(20'000'000);
  fetch(*tensor(a), a)->check();
}

TEST_F(StreamsTest, UploadsWhereThereIsNoMemoryToLandIn) {
  constexpr int64_t count = 10'000;
  for (int round = 0; round < 20; ++round) {
    const Values a = values(count);
    const Values b = values(count);
    const auto x = tensor(a);
    engine_->trim();
    memory_.allocator->trim();  // what is kept would be given back when memory is short, and that waits
    auto y = sum(*x, *x);
    const auto z = sum(*y, *x);
    const auto fetched = fetch(*z, added(added(a, a), a));
    memory_.use->limit = memory_.use->used.load();
    y.reset();  // and its memory, which what is computed still reads, is given to the next
    const auto w = tensor(b);
    memory_.use->limit = SIZE_MAX;
    fetch(*w, b)->check();
    fetched->check();
  }
}

TEST_F(StreamsTest, GivesMemoryBackWhenWhatUsesItIsDone) {
  const auto a = tensor(values(1000));
  sum(*a, *a);  // into memory that nobody holds any more
  const int waits = gpu.waits;
  memory_.allocator->trim();
  EXPECT_GT(gpu.waits, waits);
}

TEST_F(StreamsTest, AReplayedGraphTakesEachInput) {
  const auto slot = tensor(values(500));
  const auto kept = tensor(values(500));
  TensorPtr y;
  const auto replay = engine_->capture([&] { y = sum(*engine_, *sum(*engine_, *slot, *slot), *slot); });
  ASSERT_TRUE(replay);
  std::vector<std::unique_ptr<Fetched>> fetched;
  for (int run = 0; run < 5; ++run) {
    const Values a = values(500);
    engine_->copy(*tensor(a), *slot);
    replay->run(Cancellation());
    engine_->copy(*y, *kept);
    fetched.push_back(fetch(*kept, added(added(a, a), a)));
  }
  for (const auto& one : fetched) {
    one->check();
  }
}

}  // namespace
}  // namespace cudnn_resnet::cuda
