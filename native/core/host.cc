#include "core/host.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace cudnn_resnet {

uint64_t usableHostMemory() {
  auto bytes = static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  uint64_t allowed = 0;
  if (std::ifstream limit("/sys/fs/cgroup/memory.max"); limit >> allowed) {  // "max" where there is no limit
    bytes = std::min(bytes, allowed);
  }
  return bytes;
}

}  // namespace cudnn_resnet
