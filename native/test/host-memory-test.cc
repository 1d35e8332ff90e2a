#include "core/host-memory.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <utility>
#include <vector>

#include "scarce-host-memory.h"

namespace cudnn_resnet {
namespace {

constexpr size_t mebibyte = size_t{1} << 20U;

// What this process has in its address space.
int64_t pagesMapped() {
  int64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages;
}

class HostMemoryTest : public testing::Test {
 protected:
  HostMemory memory;
};

TEST_F(HostMemoryTest, IsAlignedAndAsLargeAsAskedFor) {
  for (const size_t bytes :
       {size_t{512}, mebibyte - 512, mebibyte, 3 * mebibyte / 2, 16 * mebibyte, 18 * mebibyte}) {
    void* const block = memory.allocate(bytes);
    ASSERT_NE(block, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % 64, 0U);
    std::memset(block, 0xff, bytes);
    memory.release(block, bytes);
  }
}

TEST_F(HostMemoryTest, SaysWhereThereIsNone) { EXPECT_EQ(memory.allocate(size_t{1} << 62U), nullptr); }

TEST_F(HostMemoryTest, LeavesSomeOfTheAddressSpaceToOthers) {
  if (!test::NoHostMemory::possible) {
    GTEST_SKIP() << "the address space of sanitizers is beyond any limit";
  }
  std::vector<std::pair<void*, size_t>> blocks;
  {
    const test::LittleAddressSpace little(160 * mebibyte);  // of which 64 at most are left
    for (const size_t bytes : {16 * mebibyte, mebibyte}) {
      while (void* const block = memory.allocate(bytes)) {
        blocks.emplace_back(block, bytes);
      }
    }
    void* const other = std::malloc(2 * mebibyte);
    EXPECT_NE(other, nullptr);
    std::free(other);
  }
  EXPECT_GE(blocks.size(), 1U);
  for (const auto& [block, bytes] : blocks) {
    memory.release(block, bytes);
  }
}

TEST_F(HostMemoryTest, ReturnsPagesFromBetweenBlocksThatAreHeld) {
  constexpr size_t bytes = 3 * mebibyte;
  const auto isMapped = [](void* block) {
    std::vector<unsigned char> pages(bytes / static_cast<size_t>(sysconf(_SC_PAGESIZE)));
    return mincore(block, bytes, pages.data()) == 0;
  };
  std::vector<void*> blocks(3);
  for (void*& block : blocks) {
    block = memory.allocate(bytes);
    std::memset(block, 1, bytes);
    EXPECT_TRUE(isMapped(block));
  }
  memory.release(blocks[1], bytes);
  EXPECT_FALSE(isMapped(blocks[1]));
  memory.release(blocks[0], bytes);
  memory.release(blocks[2], bytes);
}

TEST_F(HostMemoryTest, KeepsNoAddresses) {
  const int64_t before = pagesMapped();
  for (int i = 0; i < 100; ++i) {
    for (const size_t bytes : {mebibyte, 5 * mebibyte / 4, 16 * mebibyte, 40 * mebibyte, 40 * mebibyte + 1}) {
      memory.release(memory.allocate(bytes), bytes);
    }
  }
  EXPECT_LT(pagesMapped() - before, 1000);
}

}  // namespace
}  // namespace cudnn_resnet
