#include "core/host-copy.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <new>
#include <numeric>
#include <vector>

namespace cudnn_resnet {
namespace {

TEST(HostCopy, HoldsWhatTheOriginalHeld) {
  for (const size_t count : {size_t{1}, size_t{1000}, size_t{8} << 20U, (size_t{8} << 20U) + 1}) {
    std::vector<uint32_t> original(count);
    std::iota(original.begin(), original.end(), 7U);
    const std::vector<uint32_t> expected = original;
    const auto copy = hostCopy(original.data(), count * sizeof(uint32_t));
    std::fill(original.begin(), original.end(), 0U);
    ASSERT_EQ(std::memcmp(copy.get(), expected.data(), count * sizeof(uint32_t)), 0) << count;
  }
}

#ifdef __linux__
TEST(HostCopy, BeginsWithAHugePageWhereItIsLarge) {
  const std::vector<char> original(size_t{40} << 20U, 'x');
  const auto copy = hostCopy(original.data(), original.size());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(copy.get()) % (size_t{2} << 20U), 0U);
}
#endif

TEST(HostCopy, ThrowsWhereThereIsNoMemory) {
  const char original = 'x';
  EXPECT_THROW((void)hostCopy(&original, SIZE_MAX / 2), std::bad_alloc);
}

}  // namespace
}  // namespace cudnn_resnet
