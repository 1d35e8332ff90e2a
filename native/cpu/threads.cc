#include "cpu/threads.h"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

namespace cudnn_resnet::cpu {
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

int threadsToUse() {
  if (std::getenv("OMP_NUM_THREADS") != nullptr) {
    return omp_get_max_threads();
  }
  const int available = omp_get_num_procs();  // of the mask of cores that this process may run on
  const int given = coresOfControlGroup(contents("/proc/self/cgroup"), "/sys/fs/cgroup");
  return given > 0 ? std::min(available, given) : available;
}

}  // namespace cudnn_resnet::cpu
