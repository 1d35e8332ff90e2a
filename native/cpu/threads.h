#pragma once

#include <string>

namespace cudnn_resnet::cpu {

// How many threads to compute with: what OMP_NUM_THREADS says, else the cores that this process may run on,
// and no more of them than its control group is given time for: threads beyond that are stopped together
// until time is given again.
[[nodiscard]] int threadsToUse();

// The cores' worth of time that a control group is given, rounded up; 0 where it is not limited. `membership`
// is the text of /proc/self/cgroup, `root` where the groups are mounted.
[[nodiscard]] int coresOfControlGroup(const std::string& membership, const std::string& root);

}  // namespace cudnn_resnet::cpu
