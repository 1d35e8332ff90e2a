// Loops over elements on all of the engine's threads.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace cudnn_resnet::cpu {

// Throws where there is no memory for what OpenMP needs to begin: it would end the process.
inline void requireRoomForTeam() {
  constexpr size_t room = size_t{16} << 10U;  // what it takes for a hundred threads
  void* volatile block = std::malloc(room);   // volatile, for compilers leave out what is freed unused
  if (block == nullptr) {
    throw std::bad_alloc();
  }
  std::free(block);
}

// Calls function(begin, length) for as many parts of `count` elements as there are threads, or fewer where
// that is not worth a thread.
template <typename Function>
void parallel(size_t count, Function&& function) {
  constexpr size_t fewest = 8192;
  constexpr size_t line = 64;  // parts begin with cache lines
  const auto threads = static_cast<size_t>(omp_get_max_threads());
  const size_t parts = std::clamp<size_t>(count / fewest, 1, threads);
  const size_t each = ((count + parts - 1) / parts + line - 1) / line * line;
  requireRoomForTeam();
#pragma omp parallel for if (parts > 1)
  for (size_t begin = 0; begin < count; begin += each) {
    function(begin, std::min(each, count - begin));
  }
}

}  // namespace cudnn_resnet::cpu
