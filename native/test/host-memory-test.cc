#ifdef CUDNN_RESNET_CPU
#include "cpu/host-memory.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <vector>

namespace cudnn_resnet::cpu {
namespace {

constexpr size_t mebibyte = size_t{1} << 20U;

struct Pages {
  int64_t mapped = 0;
  int64_t resident = 0;
};

Pages pagesOfThisProcess() {
  Pages pages;
  std::ifstream("/proc/self/statm") >> pages.mapped >> pages.resident;
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

TEST_F(HostMemoryTest, ReturnsTheSystemsPagesFromBetweenBlocksThatAreHeld) {
  constexpr int64_t blocks = 32;
  constexpr size_t bytes = 3 * mebibyte;
  const Pages before = pagesOfThisProcess();
  if (before.mapped == 0) {
    GTEST_SKIP() << "this system has no /proc/self/statm";
  }
  std::vector<void*> held;
  for (int64_t i = 0; i < blocks; ++i) {
    held.push_back(memory.allocate(bytes));
    std::memset(held.back(), 1, bytes);
  }
  for (size_t i = 0; i < held.size(); i += 2) {
    memory.release(held[i], bytes);
  }
  const int64_t pages = blocks / 2 * static_cast<int64_t>(bytes) / sysconf(_SC_PAGESIZE);
  EXPECT_LT(pagesOfThisProcess().resident - before.resident, pages * 5 / 4);
  for (size_t i = 1; i < held.size(); i += 2) {
    memory.release(held[i], bytes);
  }
}

TEST_F(HostMemoryTest, KeepsNoAddresses) {
  const Pages before = pagesOfThisProcess();
  for (int i = 0; i < 100; ++i) {
    for (const size_t bytes : {mebibyte, 5 * mebibyte / 4, 16 * mebibyte, 40 * mebibyte}) {
      memory.release(memory.allocate(bytes), bytes);
    }
  }
  EXPECT_LT(pagesOfThisProcess().mapped - before.mapped, 1000);
}

}  // namespace
}  // namespace cudnn_resnet::cpu

#endif
