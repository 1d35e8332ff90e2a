#include "cuda/device-presets.h"

#include <array>
#include <cstdint>
#include <sstream>

namespace cudnn_resnet::cuda {
namespace {

// What differs between GPUs, from NVIDIA's data sheets and the programming guide's table of compute
// capabilities.
struct Preset {
  std::string_view name, deviceName;
  int capability;  // 900 is 9.0
  int multiprocessors;
  int clockKHz, memoryClockKHz;
  int64_t l2Bytes;
  int sharedPerBlock;  // most that a block may ask for
  int threadsPerMultiprocessor, blocksPerMultiprocessor;
  int64_t memoryBytes;
};

constexpr int64_t mebibyte = int64_t{1} << 20;
constexpr int64_t gibibyte = int64_t{1} << 30;

constexpr std::array<Preset, 7> presets{{
    {"t4", "Tesla T4", 750, 40, 1590000, 5001000, 4 * mebibyte, 65536, 1024, 16, 15 * gibibyte},
    {"a100", "NVIDIA A100-SXM4-80GB", 800, 108, 1410000, 1593000, 40 * mebibyte, 166912, 2048, 32,
     79 * gibibyte},
    {"a10", "NVIDIA A10", 860, 72, 1695000, 6251000, 6 * mebibyte, 101376, 1536, 16, 22 * gibibyte},
    {"l4", "NVIDIA L4", 890, 58, 2040000, 6251000, 48 * mebibyte, 101376, 1536, 24, 22 * gibibyte},
    {"h100", "NVIDIA H100 80GB HBM3", 900, 132, 1980000, 2619000, 50 * mebibyte, 232448, 2048, 32,
     79 * gibibyte},
    {"h200", "NVIDIA H200", 900, 132, 1980000, 3201000, 60 * mebibyte, 232448, 2048, 32, 139 * gibibyte},
    {"b200", "NVIDIA B200", 1000, 148, 1965000, 3996000, 126 * mebibyte, 232448, 2048, 32, 178 * gibibyte},
}};

std::string json(const Preset& p) {
  std::ostringstream out;
  const auto number = [&](const char* key, int64_t value) { out << ",\"" << key << "\":" << value; };
  out << R"({"deviceName":")" << p.deviceName << '"';
  number("cudaDeviceId", 0);
  number("deviceVer", p.capability);
  number("multiProcessorCount", p.multiprocessors);
  number("driverVer", 13000);
  out << R"(,"maxGridSize":[2147483647,65535,65535],"maxBlockSize":[1024,1024,64])";
  number("regsPerBlock", 65536);
  number("smClockRateKHz", p.clockKHz);
  number("memClockRateKHz", p.memoryClockKHz);
  number("l2CacheSize", p.l2Bytes);
  number("warpSize", 32);
  number("maxSharedMemoryPerBlock", 49152);
  number("maxSharedMemoryPerBlockOptin", p.sharedPerBlock);
  number("reservedSharedMemoryPerBlock", p.capability >= 800 ? 1024 : 0);
  number("maxRegistersPerSM", 65536);
  number("pciDeviceId", 0);
  number("maxCtasPerSM", p.blocksPerMultiprocessor);
  number("maxThreadsPerBlock", 1024);
  number("maxThreadsPerSM", p.threadsPerMultiprocessor);
  number("isTccDriver", 0);
  number("supportCoopLaunch", 1);
  number("totalGlobalMem", p.memoryBytes);
  out << "}";
  return out.str();
}

}  // namespace

std::optional<std::string> devicePreset(std::string_view name) {
  for (const Preset& preset : presets) {
    if (preset.name == name) {
      return json(preset);
    }
  }
  return std::nullopt;
}

std::vector<std::string_view> devicePresetNames() {
  std::vector<std::string_view> names;
  names.reserve(presets.size());
  for (const Preset& preset : presets) {
    names.push_back(preset.name);
  }
  return names;
}

}  // namespace cudnn_resnet::cuda
