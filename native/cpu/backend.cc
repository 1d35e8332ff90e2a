#include "cpu/backend.h"

#include <fstream>
#include <string>

#include "core/host.h"
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

std::string version() {
  const auto* v = dnnl::version();
  return "oneDNN " + std::to_string(v->major) + "." + std::to_string(v->minor) + "." +
         std::to_string(v->patch);
}

std::string instructionSet() {
  if (hasInstructions(dnnl::cpu_isa::avx512_core_bf16)) {
    return "AVX-512 with bfloat16";
  }
  if (hasInstructions(dnnl::cpu_isa::avx512_core)) {
    return "AVX-512";
  }
  return hasInstructions(dnnl::cpu_isa::avx2) ? "AVX2" : "SSE4.1 or none";
}

}  // namespace

Backend backend() {
  Backend backend;
  backend.devices.push_back({"cpu", processorName(), version(), usableHostMemory(),
                             [](EngineMemory& memory) { return std::make_unique<CpuEngine>(memory); }});
  backend.report = [] { return "CPU engine: " + version() + ", instructions: " + instructionSet() + "\n"; };
  return backend;
}

}  // namespace cudnn_resnet::cpu
