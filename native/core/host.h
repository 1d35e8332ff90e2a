// The machine that this runs on.
#pragma once

#include <cstdint>
#include <string>

namespace cudnn_resnet {

// The bytes of its memory, or those of it that this process's control group may use.
[[nodiscard]] uint64_t usableHostMemory();

// The bytes that this process may still take: what the machine has available, and what the limits of the
// control group and on the address space leave, without a sixteenth, or 64 MiB, that is left to others, to
// JavaScript above all. UINT64_MAX where the system does not say.
[[nodiscard]] uint64_t spareHostMemory();

// What spareHostMemory() comes to.
struct MemoryState {
  std::string machine;  // the text of /proc/meminfo
  std::string process;  // that of /proc/self/statm
  uint64_t pageBytes = 4096;
  uint64_t limit = UINT64_MAX;         // usableHostMemory()
  uint64_t addressSpace = UINT64_MAX;  // the limit on it
};
[[nodiscard]] uint64_t spareOf(const MemoryState& state);

// The bytes that a control group may use, UINT64_MAX where it is not limited; arguments as of
// coresOfControlGroup().
[[nodiscard]] uint64_t memoryOfControlGroup(const std::string& membership, const std::string& root);

// The cores that this thread may run on, within the quota.
[[nodiscard]] int usableCores();

// No more than this process's control group is given time for: threads beyond that are stopped together until
// time is given again.
[[nodiscard]] int withinQuota(int cores);

// The cores' worth of time that a control group is given, rounded up; 0 where it is not limited. `membership`
// is the text of /proc/self/cgroup, `root` where the groups are mounted.
[[nodiscard]] int coresOfControlGroup(const std::string& membership, const std::string& root);

}  // namespace cudnn_resnet
