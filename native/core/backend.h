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
  std::shared_ptr<MemoryUse> use = std::make_shared<MemoryUse>();
  std::shared_ptr<CachingAllocator> allocator;  // set by the engine
};

struct DeviceDescription {
  std::string id;      // "cpu", "cuda:0"
  std::string name;    // the processor's
  std::string engine;  // "oneDNN 2.6.3", "cuDNN 9.24.0"
  uint64_t memory;     // bytes; also the device's memory limit at its start
  // Called on the thread of the device's queue. May throw Error.
  std::function<std::unique_ptr<Engine>(EngineMemory& memory)> open;
  // Its properties as JSON, as PlanningOptions take them; none where there is no planner. May throw Error.
  std::function<std::string()> properties = {};
};

// What was found out about a piece of work that is compiled ahead of time.
struct PlannedGraph {
  std::string graph;
  std::string engine;           // which of the library's engines has it; empty where it was refused
  std::string refusal;          // what the library says
  uint64_t workspaceBytes = 0;  // that running it will take
  uint64_t bytes = 0;           // of the plan in a file; 0 where the library cannot write it down
  double seconds = 0;           // that compiling it took
};

struct PlanningOptions {
  std::string properties;  // of a device that need not be there, as JSON
  int capability = 0;      // 90 for 9.0
  int multiprocessors = 0;
  std::string folder;                               // where the plans go; nowhere where empty
  std::function<void(const PlannedGraph&)> report;  // called on the thread of the device's queue
};

struct Backend {
  std::vector<DeviceDescription> devices;
  // What was built and found, and what to do about what is missing, for diagnose(); may look for more.
  std::function<std::string()> report;

  // A device that computes nothing and compiles what a real one would need; none where nothing is compiled
  // ahead of time.
  std::function<DeviceDescription(const PlanningOptions&)> planner;
};

// All that was compiled in. Looking costs a driver's start on the first call only.
[[nodiscard]] const std::vector<Backend>& backends();

}  // namespace cudnn_resnet
