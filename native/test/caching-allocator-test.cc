#include "core/caching-allocator.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "expect-error.h"

namespace cudnn_resnet {
namespace {

// Counts what is held, and has no more than `capacity`.
struct Counted {
  std::map<void*, size_t> held;
  size_t bytes = 0;
  size_t capacity = SIZE_MAX;
  int allocations = 0;
};

class CountedMemory : public RawMemory {
 public:
  explicit CountedMemory(Counted& counted) : counted_(counted) {}
  void* allocate(size_t bytes) override {
    if (bytes > counted_.capacity - counted_.bytes) {
      return nullptr;
    }
    void* pointer = std::malloc(1);
    counted_.held[pointer] = bytes;
    counted_.bytes += bytes;
    ++counted_.allocations;
    return pointer;
  }
  void release(void* pointer, size_t bytes) noexcept override {
    EXPECT_EQ(counted_.held.at(pointer), bytes);
    counted_.held.erase(pointer);
    counted_.bytes -= bytes;
    std::free(pointer);
  }

 private:
  Counted& counted_;
};

class CachingAllocatorTest : public testing::Test {
 protected:
  Counted counted;
  std::shared_ptr<MemoryUse> use = std::make_shared<MemoryUse>();
  std::shared_ptr<CachingAllocator> allocator =
      std::make_shared<CachingAllocator>(std::make_unique<CountedMemory>(counted), use);

  void expectOutOfMemory(size_t bytes) {
    SCOPED_TRACE(bytes);
    test::expectError(ErrorCode::OutOfMemory, [&] { const Block block = allocator->allocate(bytes); });
  }
};

TEST_F(CachingAllocatorTest, ABlockIsAsLargeAsAskedForAndWastesAtMostAnEighth) {
  for (const size_t bytes :
       {1ULL, 512ULL, 513ULL, 4096ULL, 5000ULL, 1ULL << 20U, (1ULL << 20U) + 1, 123456789ULL}) {
    const Block block = allocator->allocate(bytes);
    EXPECT_GE(block.bytes(), bytes);
    EXPECT_LE(block.bytes(), std::max<size_t>(bytes + bytes / 8 + 1, bytes + 512)) << bytes;
  }
}

TEST_F(CachingAllocatorTest, AFreedBlockServesTheNextOfAboutItsSize) {
  void* first = nullptr;
  {
    const Block block = allocator->allocate(100000);
    first = block.get();
  }
  const Block again = allocator->allocate(99000);
  EXPECT_EQ(again.get(), first);
  EXPECT_EQ(counted.allocations, 1);
}

TEST_F(CachingAllocatorTest, CountsUseReserveAndPeak) {
  size_t both = 0;
  {
    const Block a = allocator->allocate(1000);
    const Block b = allocator->allocate(2000);
    both = a.bytes() + b.bytes();
    EXPECT_EQ(use->used, both);
  }
  EXPECT_EQ(use->used, 0U);
  EXPECT_EQ(use->peak, both);
  EXPECT_EQ(use->reserved, both);
  (void)allocator->allocate(1000);
  EXPECT_EQ(use->peak, both) << "less is no peak";
  allocator->trim();
  EXPECT_EQ(use->reserved, 0U);
  EXPECT_EQ(counted.bytes, 0U);
}

TEST_F(CachingAllocatorTest, TrimLeavesBlocksThatAreInUse) {
  const Block block = allocator->allocate(1000);
  allocator->trim();
  EXPECT_EQ(use->reserved, block.bytes());
  EXPECT_EQ(counted.held.size(), 1U);
}

TEST_F(CachingAllocatorTest, TheLimitHoldsAndIsRecoveredFrom) {
  use->limit = 10000;
  {
    const Block block = allocator->allocate(8000);
    expectOutOfMemory(8000);
    EXPECT_EQ(use->used, block.bytes());
  }
  const Block after = allocator->allocate(8000);
  EXPECT_NE(after.get(), nullptr);
}

TEST_F(CachingAllocatorTest, KeptBlocksMakeRoomBeforeTheLimitRefuses) {
  use->limit = 10000;
  { const Block block = allocator->allocate(8000); }
  EXPECT_GT(use->reserved, 0U);
  const Block other = allocator->allocate(4000);  // of another size: the kept block does not serve it
  EXPECT_EQ(counted.held.size(), 1U);
}

TEST_F(CachingAllocatorTest, KeptBlocksMakeRoomWhereTheSystemHasNoMore) {
  counted.capacity = 10000;
  { const Block block = allocator->allocate(8000); }
  const Block other = allocator->allocate(4000);
  EXPECT_EQ(counted.held.size(), 1U);
  expectOutOfMemory(8000);
}

TEST_F(CachingAllocatorTest, ALimitBelowWhatIsInUseRefusesAndBreaksNothing) {
  const Block block = allocator->allocate(8000);
  use->limit = 1000;
  expectOutOfMemory(600);
  use->limit = SIZE_MAX;
  const Block other = allocator->allocate(600);
  EXPECT_NE(other.get(), nullptr);
}

TEST_F(CachingAllocatorTest, AKeptBlockIsNotGivenBeyondTheLimit) {
  const Block block = allocator->allocate(8000);
  { const Block kept = allocator->allocate(600); }
  use->limit = 1000;
  expectOutOfMemory(600);
  EXPECT_EQ(use->used, block.bytes());
}

TEST_F(CachingAllocatorTest, SizesNearTheEndOfTheAddressSpaceAreRefused) {
  expectOutOfMemory(SIZE_MAX);  // whatever the raw memory would say
  counted.capacity = size_t{1} << 40U;
  for (const size_t bytes : {SIZE_MAX, SIZE_MAX - 511, SIZE_MAX / 2, size_t{1} << 62U}) {
    expectOutOfMemory(bytes);
  }
  EXPECT_EQ(use->used, 0U);
  EXPECT_EQ(use->reserved, 0U);
}

TEST_F(CachingAllocatorTest, AMovedBlockIsGivenBackOnce) {
  Block a = allocator->allocate(1000);
  void* pointer = a.get();
  Block b = std::move(a);
  EXPECT_EQ(b.get(), pointer);
  Block c = allocator->allocate(1000);
  c = std::move(b);
  EXPECT_EQ(c.get(), pointer);
}

TEST_F(CachingAllocatorTest, BlocksOutliveTheirOwnersHoldOnTheAllocator) {
  Block block = allocator->allocate(1000);
  allocator.reset();
  EXPECT_EQ(counted.held.size(), 1U);
  block = Block();
  EXPECT_EQ(counted.held.size(), 0U);
}

TEST_F(CachingAllocatorTest, TracesWhatWorkAllocatesAndForHowLong) {
  Block kept;
  const auto blocks = allocator->trace([&] {
    kept = allocator->allocate(1000);
    { const Block inner = allocator->allocate(5000); }
    const Block last = allocator->allocate(100);
  });
  ASSERT_EQ(blocks.size(), 3U);
  EXPECT_GE(blocks[0].bytes, 1000U);
  EXPECT_GE(blocks[1].bytes, 5000U);
  EXPECT_LT(blocks[1].first, blocks[1].last);
  EXPECT_LT(blocks[1].last, blocks[2].first);
  EXPECT_GE(blocks[0].last, blocks[2].last);  // it outlives the work
}

TEST_F(CachingAllocatorTest, PlacesBlocksInAnArenaAsTheyWereTraced) {
  const auto work = [&] {
    const Block a = allocator->allocate(1000);
    const Block b = allocator->allocate(3000);
    return std::pair{a.get(), b.get()};
  };
  const auto blocks = allocator->trace([&] { work(); });
  const ArenaPlan plan = planArena(blocks);
  const Block arena = allocator->allocate(plan.bytes);
  const size_t held = use->used;
  std::pair<void*, void*> places;
  allocator->place(blocks, plan, arena, [&] { places = work(); });
  EXPECT_EQ(places.first, static_cast<std::byte*>(arena.get()) + plan.offsets[0]);
  EXPECT_EQ(places.second, static_cast<std::byte*>(arena.get()) + plan.offsets[1]);
  EXPECT_EQ(use->used, held);
}

TEST_F(CachingAllocatorTest, PreparesEachBlockThatItHandsOut) {
  std::vector<std::pair<void*, size_t>> prepared;
  allocator->onAllocation([&](void* pointer, size_t bytes) { prepared.emplace_back(pointer, bytes); });
  std::vector<std::pair<void*, size_t>> given;
  const auto work = [&] {
    const Block block = allocator->allocate(1000);
    given.emplace_back(block.get(), block.bytes());
  };
  work();
  work();  // a kept block
  const auto blocks = allocator->trace(work);
  const ArenaPlan plan = planArena(blocks);
  const Block arena = allocator->allocate(plan.bytes);
  given.emplace_back(arena.get(), arena.bytes());
  allocator->place(blocks, plan, arena, work);
  EXPECT_EQ(prepared, given);
}

TEST_F(CachingAllocatorTest, RefusesToPlaceOtherBlocksThanWereTraced) {
  const auto blocks = allocator->trace([&] { const Block a = allocator->allocate(1000); });
  const ArenaPlan plan = planArena(blocks);
  const Block arena = allocator->allocate(plan.bytes);
  for (const auto& work :
       std::vector<std::function<void()>>{[] {}, [&] { const Block other = allocator->allocate(100'000); },
                                          [&] {
                                            const Block a = allocator->allocate(1000);
                                            const Block further = allocator->allocate(1000);
                                          }}) {
    EXPECT_THROW(allocator->place(blocks, plan, arena, work), Error);
  }
  const Block after = allocator->allocate(1000);  // from the allocator again
  EXPECT_TRUE(counted.held.contains(after.get()));
}

TEST_F(CachingAllocatorTest, LeavesOutOfATraceWhatIsAllocatedApart) {
  Block stays;
  const auto work = [&] {
    const Block a = allocator->allocate(1000);
    {
      const CachingAllocator::Apart apart(*allocator);
      stays = allocator->allocate(2000);
    }
    const Block b = allocator->allocate(3000);
  };
  const auto blocks = allocator->trace(work);
  ASSERT_EQ(blocks.size(), 2U);
  EXPECT_GE(blocks[1].bytes, 3000U);
  const ArenaPlan plan = planArena(blocks);
  const Block arena = allocator->allocate(plan.bytes);
  allocator->place(blocks, plan, arena, work);
  EXPECT_TRUE(counted.held.contains(stays.get()));
}

TEST_F(CachingAllocatorTest, GivesNothingBackForWhatCanBeDoneWithout) {
  counted.capacity = 10'000;
  bool reclaimed = false;
  allocator->onShortage([&] { reclaimed = true; });
  { const Block kept = allocator->allocate(8000); }
  EXPECT_EQ(allocator->tryAllocate(4000).get(), nullptr);
  EXPECT_EQ(counted.allocations, 1);
  EXPECT_EQ(counted.held.size(), 1U);
  EXPECT_FALSE(reclaimed);
  EXPECT_NE(allocator->tryAllocate(8000).get(), nullptr);
  EXPECT_NE(allocator->tryAllocate(1000).get(), nullptr);
}

TEST_F(CachingAllocatorTest, MakesRoomOnceForWhatElseWantsMemory) {
  Block held = allocator->allocate(8000);
  { const Block kept = allocator->allocate(1000); }
  allocator->onShortage([&] { held = Block(); });
  int runs = 0;
  const auto work = [&](ErrorCode thrown) {
    ++runs;
    if (counted.bytes > 0) {
      throw Error(thrown, "no room");
    }
    return runs;
  };
  test::expectError(ErrorCode::Backend,
                    [&] { allocator->withRoom([&] { return work(ErrorCode::Backend); }); });
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(counted.held.size(), 2U) << "for another error";
  EXPECT_EQ(allocator->withRoom([&] { return work(ErrorCode::OutOfMemory); }), 3);
  held = allocator->allocate(8000);
  allocator->onShortage({});
  test::expectError(ErrorCode::OutOfMemory,
                    [&] { allocator->withRoom([&] { return work(ErrorCode::OutOfMemory); }); });
  EXPECT_EQ(runs, 5);
}

TEST_F(CachingAllocatorTest, GivesNothingBackWhileBlocksArePlaced) {
  { const Block kept = allocator->allocate(1000); }
  const Block arena = allocator->allocate(5000);
  test::expectError(ErrorCode::OutOfMemory, [&] {
    allocator->place({}, planArena({}), arena,
                     [&] { allocator->withRoom([] { throw Error(ErrorCode::OutOfMemory, "no room"); }); });
  });
  EXPECT_EQ(counted.held.size(), 2U);
}

TEST_F(CachingAllocatorTest, AsksForMemoryToBeFreedBeforeItFails) {
  use->limit = 10'000;
  Block held = allocator->allocate(8000);
  allocator->onShortage([&] { held = Block(); });
  const Block block = allocator->allocate(8000);
  EXPECT_NE(block.get(), nullptr);
  expectOutOfMemory(8000);
}

}  // namespace
}  // namespace cudnn_resnet
