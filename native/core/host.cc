#include "core/host.h"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string_view>
#include <thread>

namespace cudnn_resnet {
namespace {

std::string contents(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A group's limit, read in its folder.
using Limit = std::optional<uint64_t> (*)(const std::string& folder, bool version2);

// The cores' worth of a quota in a period, both in microseconds, rounded up; version 2 keeps them in one
// file. Nothing where there is none ("max", or -1).
std::optional<uint64_t> cores(const std::string& folder, bool version2) {
  std::string quota = contents(folder + (version2 ? "/cpu.max" : "/cpu.cfs_quota_us"));
  std::string period;
  if (version2) {
    std::istringstream(std::string(quota)) >> quota >> period;
  } else {
    period = contents(folder + "/cpu.cfs_period_us");
  }
  const double given = std::atof(quota.c_str());
  const double of = std::atof(period.c_str());
  return given > 0 && of > 0 ? std::optional(static_cast<uint64_t>(std::ceil(given / of))) : std::nullopt;
}

// In bytes; nothing where there is none ("max").
std::optional<uint64_t> memory(const std::string& folder, bool version2) {
  uint64_t bytes = 0;
  std::ifstream file(folder + (version2 ? "/memory.max" : "/memory.limit_in_bytes"));
  return file >> bytes ? std::optional(bytes) : std::nullopt;
}

void lower(std::optional<uint64_t>& least, std::optional<uint64_t> found) {
  if (found && (!least || *found < *least)) {
    least = found;
  }
}

// The least limit of the groups of version 2, and of version 1 for `controller`, and of their ancestors: each
// of them is one. Nothing where there is none.
std::optional<uint64_t> leastOf(const std::string& membership, const std::string& root,
                                const std::string& controller, Limit limit) {
  std::optional<uint64_t> least;
  std::istringstream lines(membership);
  for (std::string line; std::getline(lines, line);) {  // hierarchy:controllers:/path
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (second == std::string::npos || line.size() <= second + 1 || line[second + 1] != '/') {
      continue;
    }
    std::string controllers(",");
    controllers.append(line, first + 1, second - first - 1).append(",");
    const bool version2 = controllers == ",,";
    if (!version2 && controllers.find("," + controller + ",") == std::string::npos) {
      continue;
    }
    const std::string mount = version2 ? root : std::string(root).append("/").append(controller);
    std::string group = line.substr(second + 1);
    for (group = group == "/" ? "" : group; !group.empty(); group.erase(group.rfind('/'))) {
      lower(least, limit(mount + group, version2));
    }
    lower(least, limit(mount, version2));
  }
  return least;
}

}  // namespace

uint64_t memoryOfControlGroup(const std::string& membership, const std::string& root) {
  return leastOf(membership, root, "memory", memory).value_or(UINT64_MAX);
}

int coresOfControlGroup(const std::string& membership, const std::string& root) {
  return static_cast<int>(leastOf(membership, root, "cpu", cores).value_or(0));
}

uint64_t usableHostMemory() {
  const auto bytes =
      static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  return std::min(bytes, memoryOfControlGroup(contents("/proc/self/cgroup"), "/sys/fs/cgroup"));
}

uint64_t spareOf(const MemoryState& state) {
  const auto leftToOthers = [](uint64_t limit) { return std::min(limit / 16, uint64_t{64} << 20U); };
  uint64_t mapped = 0;
  uint64_t resident = 0;
  uint64_t available = 0;
  bool known = false;
  std::istringstream lines(state.machine);
  for (std::string line; std::getline(lines, line);) {  // "MemAvailable:    1024 kB"
    for (const std::string_view name : {"MemAvailable:", "SwapFree:"}) {
      if (line.starts_with(name)) {
        available += std::strtoull(line.c_str() + name.size(), nullptr, 10) * 1024;
        known = true;
      }
    }
  }
  if (!known || !(std::istringstream(state.process) >> mapped >> resident)) {
    return UINT64_MAX;
  }
  const auto left = [](uint64_t all, uint64_t taken) { return all > taken ? all - taken : 0; };
  const uint64_t within = std::min(available, left(state.limit, resident * state.pageBytes));
  const uint64_t spare = left(within, leftToOthers(state.limit));
  if (state.addressSpace == UINT64_MAX) {
    return spare;
  }
  const uint64_t addresses = left(state.addressSpace, mapped * state.pageBytes);
  return std::min(spare, left(addresses, leftToOthers(state.addressSpace)));
}

uint64_t spareHostMemory() {
  static const uint64_t usable = usableHostMemory();
  rlimit addresses{};
  const bool limited = getrlimit(RLIMIT_AS, &addresses) == 0 && addresses.rlim_cur != RLIM_INFINITY;
  return spareOf({contents("/proc/meminfo"), contents("/proc/self/statm"),
                  static_cast<uint64_t>(sysconf(_SC_PAGESIZE)), usable,
                  limited ? static_cast<uint64_t>(addresses.rlim_cur) : UINT64_MAX});
}

int withinQuota(int cores) {
  const int given = coresOfControlGroup(contents("/proc/self/cgroup"), "/sys/fs/cgroup");
  return given > 0 ? std::min(cores, given) : cores;
}

int usableCores() {
  int cores = static_cast<int>(std::thread::hardware_concurrency());
#ifdef __linux__
  cpu_set_t mask;
  if (sched_getaffinity(0, sizeof mask, &mask) == 0) {
    cores = CPU_COUNT(&mask);
  }
#endif
  return withinQuota(std::max(cores, 1));
}

}  // namespace cudnn_resnet
