#include "core/host.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>

namespace cudnn_resnet {
namespace {

std::string contents(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The cores' worth of a quota in a period, both in microseconds; 0 where there is none ("max", or -1).
int cores(const std::string& quota, const std::string& period) {
  const double given = std::atof(quota.c_str());
  const double of = std::atof(period.c_str());
  return given > 0 && of > 0 ? static_cast<int>(std::ceil(given / of)) : 0;
}

// The least of `group`'s and its ancestors': each of them is a limit. Version 2 keeps quota and period in one
// file.
int leastOf(const std::string& mount, std::string group, bool version2) {
  int least = 0;
  while (true) {
    std::string quota = contents(mount + group + (version2 ? "/cpu.max" : "/cpu.cfs_quota_us"));
    std::string period;
    if (version2) {
      std::istringstream(std::string(quota)) >> quota >> period;
    } else {
      period = contents(mount + group + "/cpu.cfs_period_us");
    }
    if (const int found = cores(quota, period); found > 0) {
      least = least == 0 ? found : std::min(least, found);
    }
    if (group.empty()) {
      return least;
    }
    group.erase(group.rfind('/'));
  }
}

}  // namespace

uint64_t usableHostMemory() {
  auto bytes = static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  uint64_t allowed = 0;
  if (std::ifstream limit("/sys/fs/cgroup/memory.max"); limit >> allowed) {  // "max" where there is no limit
    bytes = std::min(bytes, allowed);
  }
  return bytes;
}

int coresOfControlGroup(const std::string& membership, const std::string& root) {
  std::istringstream lines(membership);
  int least = 0;
  for (std::string line; std::getline(lines, line);) {  // hierarchy:controllers:/path
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (second == std::string::npos || line.size() <= second + 1 || line[second + 1] != '/') {
      continue;
    }
    std::string controllers(",");
    controllers.append(line, first + 1, second - first - 1).append(",");
    std::string group = line.substr(second + 1);
    group = group == "/" ? "" : group;
    const bool version2 = controllers == ",,";
    if (version2 || controllers.find(",cpu,") != std::string::npos) {
      const int found = leastOf(version2 ? root : root + "/cpu", group, version2);
      least = found > 0 && (least == 0 || found < least) ? found : least;
    }
  }
  return least;
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
