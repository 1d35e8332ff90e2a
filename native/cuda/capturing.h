// What waits for a whole GPU ends every capture that is under way on it, in whichever thread: cuDNN does so
// where a handle is made or freed.
#pragma once

#include <mutex>

namespace cudnn_resnet::cuda {

// Held while work is captured, and by what waits for a whole GPU: several environments may use one.
[[nodiscard]] inline std::mutex& capturing() {
  static std::mutex mutex;
  return mutex;
}

}  // namespace cudnn_resnet::cuda
