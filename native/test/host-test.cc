#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "core/host.h"

namespace cudnn_resnet {
namespace {

class ControlGroups : public testing::Test {
 protected:
  ~ControlGroups() override { std::filesystem::remove_all(root); }

  void write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories((root / path).parent_path());
    std::ofstream(root / path) << text << "\n";
  }

  int coresOf(const std::string& membership) { return coresOfControlGroup(membership, root.string()); }

  const std::filesystem::path root =
      std::filesystem::path(testing::TempDir()) / ("groups-" + std::to_string(std::rand()));
};

TEST_F(ControlGroups, GiveTheirQuotaRoundedUp) {
  write("cpu.max", "max 100000");
  write("box/cpu.max", "250000 100000");
  EXPECT_EQ(coresOf("0::/box\n"), 3);
  EXPECT_EQ(coresOf("0::/\n"), 0);
}

TEST_F(ControlGroups, AreLimitedByTheirAncestors) {
  write("pod/cpu.max", "200000 100000");
  write("pod/box/cpu.max", "max 100000");
  write("pod/box/inner/cpu.max", "400000 100000");
  EXPECT_EQ(coresOf("0::/pod/box/inner\n"), 2);
}

TEST_F(ControlGroups, OfVersionOneHaveTwoFiles) {
  write("cpu/box/cpu.cfs_quota_us", "150000");
  write("cpu/box/cpu.cfs_period_us", "100000");
  EXPECT_EQ(coresOf("12:memory:/box\n4:cpu,cpuacct:/box\n"), 2);
  write("cpu/box/cpu.cfs_quota_us", "-1");
  EXPECT_EQ(coresOf("4:cpu,cpuacct:/box\n"), 0);
}

TEST_F(ControlGroups, ThatCannotBeReadLimitNothing) {
  for (const char* membership : {"", "\n", "0", "0::", "0::box\n", "0::/nowhere\n", "::::\n", "4:cpu:/\n"}) {
    EXPECT_EQ(coresOf(membership), 0) << membership;
  }
  write("cpu.max", "nonsense");
  EXPECT_EQ(coresOf("0::/\n"), 0);
}

TEST_F(ControlGroups, LimitMemoryByTheLeastOfThemselvesAndTheirAncestors) {
  const auto bytesOf = [&](const std::string& membership) {
    return memoryOfControlGroup(membership, root.string());
  };
  EXPECT_EQ(bytesOf("0::/pod/box\n"), UINT64_MAX);
  write("memory.max", "9000000000");
  write("pod/memory.max", "2000000000");
  write("pod/box/memory.max", "max");
  EXPECT_EQ(bytesOf("0::/pod/box\n"), 2000000000);
  EXPECT_EQ(bytesOf("0::/\n"), 9000000000);
  write("memory/box/memory.limit_in_bytes", "1000000000");
  EXPECT_EQ(bytesOf("12:memory:/box\n4:cpu,cpuacct:/pod\n"), 1000000000);
  EXPECT_EQ(bytesOf("4:cpu,cpuacct:/box\n"), UINT64_MAX);
}

TEST(Memory, IsSpareWhereNeitherTheMachineNorALimitWantsIt) {
  constexpr uint64_t mebibyte = uint64_t{1} << 20U;
  MemoryState state{"MemTotal: 9 kB\nMemAvailable:    819200 kB\nSwapFree: 0 kB\n",
                    "51200 25600 1 1 0 1 0\n"};
  state.limit = 1600 * mebibyte;  // of which 100 are resident, and 200 mapped
  EXPECT_EQ(spareOf(state), (800 - 64) * mebibyte);
  state.machine = "MemAvailable: 8192000 kB\nSwapFree: 8192000 kB\n";
  EXPECT_EQ(spareOf(state), (1600 - 100 - 64) * mebibyte);
  state.addressSpace = 480 * mebibyte;
  EXPECT_EQ(spareOf(state), (480 - 200 - 30) * mebibyte);
  state.addressSpace = 100 * mebibyte;
  EXPECT_EQ(spareOf(state), 0U);
}

TEST(Memory, IsSpareWithoutEndWhereTheSystemDoesNotSay) {
  EXPECT_EQ(spareOf({"", "51200 25600"}), UINT64_MAX);
  EXPECT_EQ(spareOf({"MemAvailable: 5 kB\n", ""}), UINT64_MAX);
  EXPECT_GT(spareHostMemory(), 0U);
}

TEST(Cores, AreThoseThatTheProcessMayUseAtTheMost) {
  EXPECT_GE(usableCores(), 1);
  EXPECT_LE(usableCores(), std::thread::hardware_concurrency());
}

}  // namespace
}  // namespace cudnn_resnet
