#include "cpu/threads.h"

#include <omp.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <future>
#include <thread>
#include <vector>

#include "core/host.h"
#include "cpu/parallel.h"

namespace cudnn_resnet::cpu {
namespace {

// No more threads than can be made, and where those are fewer half of them, for others need some too: OpenMP
// ends the process where it cannot make one.
int makeable(int threads) {
  std::promise<void> enough;
  const std::shared_future<void> ended = enough.get_future().share();
  std::vector<std::thread> made;
  try {
    while (static_cast<int>(made.size()) + 1 < threads) {
      made.emplace_back([ended] { ended.wait(); });
    }
  } catch (const std::exception&) {
    threads = std::max(static_cast<int>(made.size()) / 2, 1);
  }
  enough.set_value();
  for (std::thread& thread : made) {
    thread.join();
  }
  return threads;
}

}  // namespace

void useThreads(int threads) {
  omp_set_num_threads(makeable(threads));
  requireRoomForTeam();
#pragma omp parallel
  {}
}

int threadsToUse() {
  return std::getenv("OMP_NUM_THREADS") != nullptr ? omp_get_max_threads() : withinQuota(omp_get_num_procs());
}

}  // namespace cudnn_resnet::cpu
