// A family of devices that was compiled in: the CPU through oneDNN, NVIDIA's GPUs through cuDNN.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/caching-allocator.h"
#include "core/engine.h"

namespace cudnn_resnet {

// What an engine is opened with; shared with the Device, which reads it from the thread of JavaScript.
struct EngineMemory {
  std::shared_ptr<MemoryUse> use;
  std::shared_ptr<CachingAllocator> allocator;  // set by the engine
};

struct DeviceDescription {
  std::string id;      // "cpu", "cuda:0"
  std::string name;    // the processor's
  std::string engine;  // "oneDNN 2.6.3", "cuDNN 9.24.0"
  uint64_t memory;     // bytes; also the device's memory limit at its start
  // Called on the thread of the device's queue. May throw Error.
  std::function<std::unique_ptr<Engine>(EngineMemory& memory)> open;
};

struct Backend {
  std::vector<DeviceDescription> devices;
  std::string report;  // what was built and found, and what to do about what is missing; for diagnose()
};

// All that was compiled in. Looking costs a driver's start on the first call only.
[[nodiscard]] const std::vector<Backend>& backends();

}  // namespace cudnn_resnet
