// The threads of OpenMP that compute.
#pragma once

namespace cudnn_resnet::cpu {

// Has OpenMP make this thread's team of so many threads, at once: later there may be fewer.
void useThreads(int threads);

// What OMP_NUM_THREADS says, else the cores that this process may run on, within its quota.
[[nodiscard]] int threadsToUse();

}  // namespace cudnn_resnet::cpu
