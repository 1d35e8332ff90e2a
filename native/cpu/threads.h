#pragma once

namespace cudnn_resnet::cpu {

// How many threads to compute with: what OMP_NUM_THREADS says, else the cores that this process may run on,
// within its quota.
[[nodiscard]] int threadsToUse();

}  // namespace cudnn_resnet::cpu
