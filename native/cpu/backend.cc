#include "cpu/backend.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "cpu/engine.h"

namespace cudnn_resnet::cpu {
namespace {

std::string processorName() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) {
      return line.substr(line.find(':') + 2);
    }
  }
  return "CPU";
}

// The machine's memory, or what the container may use of it.
uint64_t usableMemory() {
  auto bytes = static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  uint64_t allowed = 0;
  if (std::ifstream limit("/sys/fs/cgroup/memory.max"); limit >> allowed) {  // "max" where there is no limit
    bytes = std::min(bytes, allowed);
  }
  return bytes;
}

std::string version() {
  const auto* v = dnnl::version();
  return "oneDNN " + std::to_string(v->major) + "." + std::to_string(v->minor) + "." +
         std::to_string(v->patch);
}

std::string instructionSet() {
  const auto isa = dnnl::get_effective_cpu_isa();
  if (isa >= dnnl::cpu_isa::avx512_core_bf16) {
    return "AVX-512 with bfloat16";
  }
  if (isa >= dnnl::cpu_isa::avx512_core) {
    return "AVX-512";
  }
  return isa >= dnnl::cpu_isa::avx2 ? "AVX2" : "SSE4.1 or none";
}

}  // namespace

Backend backend() {
  Backend backend;
  backend.devices.push_back({"cpu", processorName(), version(), usableMemory(),
                             [](EngineMemory& memory) { return std::make_unique<CpuEngine>(memory); }});
  backend.report = [] { return "CPU engine: " + version() + ", instructions: " + instructionSet() + "\n"; };
  return backend;
}

}  // namespace cudnn_resnet::cpu
