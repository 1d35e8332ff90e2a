#include "cuda/signal-handlers.h"

#include <array>
#include <csignal>
#include <mutex>

namespace cudnn_resnet::cuda {
namespace {

struct Kept {
  int signal;
  struct sigaction action;
};

std::mutex mutex;
int compiling = 0;  // threads
std::array<Kept, 3> handlers{{{SIGINT, {}}, {SIGTERM, {}}, {SIGXFSZ, {}}}};

}  // namespace

KeptSignalHandlers::KeptSignalHandlers() {
  const std::lock_guard lock(mutex);
  if (compiling++ == 0) {
    for (Kept& kept : handlers) {
      sigaction(kept.signal, nullptr, &kept.action);
    }
  }
}

KeptSignalHandlers::~KeptSignalHandlers() {
  const std::lock_guard lock(mutex);
  if (--compiling > 0) {
    return;
  }
  for (const Kept& kept : handlers) {
    struct sigaction now {};
    sigaction(kept.signal, nullptr, &now);
    // Another handler is one that the process has set meanwhile.
    if (now.sa_handler == kept.action.sa_handler) {
      sigaction(kept.signal, &kept.action, nullptr);
    }
  }
}

}  // namespace cudnn_resnet::cuda
