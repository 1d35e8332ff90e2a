#include "cpu/threads.h"

#include <omp.h>

#include <cstdlib>

#include "core/host.h"

namespace cudnn_resnet::cpu {

int threadsToUse() {
  return std::getenv("OMP_NUM_THREADS") != nullptr ? omp_get_max_threads() : withinQuota(omp_get_num_procs());
}

}  // namespace cudnn_resnet::cpu
