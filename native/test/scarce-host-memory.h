// A process that has little memory, or none.
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <utility>

namespace cudnn_resnet::test {

// While it lives the process is given no address space but `bytes`.
class LittleAddressSpace {
 public:
  explicit LittleAddressSpace(size_t bytes) {
    size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    getrlimit(RLIMIT_AS, &former_);
    const rlimit little{pages * static_cast<size_t>(sysconf(_SC_PAGESIZE)) + bytes, former_.rlim_max};
    setrlimit(RLIMIT_AS, &little);
  }
  LittleAddressSpace(const LittleAddressSpace&) = delete;
  LittleAddressSpace& operator=(const LittleAddressSpace&) = delete;
  ~LittleAddressSpace() { setrlimit(RLIMIT_AS, &former_); }

 private:
  rlimit former_{};
};

// While it lives malloc() has nothing to give to this thread: it holds all that was left. Sanitizers end the
// process there, so that they cannot have it.
class NoHostMemory {
 public:
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  static constexpr bool possible = false;
#else
  static constexpr bool possible = true;
#endif

  NoHostMemory() {
    for (size_t bytes = largest; bytes >= smallest; bytes -= bytes > listed ? bytes / 2 : smallest) {
      while (auto* const block = static_cast<Taken*>(std::malloc(bytes))) {
        block->next = std::exchange(taken_, block);
      }
    }
  }
  NoHostMemory(const NoHostMemory&) = delete;
  NoHostMemory& operator=(const NoHostMemory&) = delete;
  ~NoHostMemory() {
    while (taken_ != nullptr) {
      std::free(std::exchange(taken_, taken_->next));
    }
  }

 private:
  struct Taken {
    Taken* next;
  };

  static constexpr size_t largest = size_t{1} << 20U;
  static constexpr size_t listed =
      2048;  // up to here the C library keeps lists of what is free, one for each size
  static constexpr size_t smallest = 16;

  LittleAddressSpace none_{0};
  Taken* taken_ = nullptr;
};

}  // namespace cudnn_resnet::test
