#include "cuda/backend.h"

#include <cuda_runtime_api.h>

#include <exception>
#include <string>

#include "cuda/compile.h"
#include "cuda/cudnn-library.h"
#include "cuda/engine.h"
#include "cuda/planning-engine.h"

namespace cudnn_resnet::cuda {
namespace {

// "13.0" of 13000
std::string cudaVersionText(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

// The oldest driver of Linux that runs every program of a major version of CUDA.
std::string driverFor(int runtimeVersion) { return runtimeVersion >= 13000 ? "580" : "525"; }

// What is wrong with the driver; empty where nothing is.
std::string driverProblem(int driver, int runtime) {
  if (driver == 0) {
    return "no NVIDIA driver was found: install driver " + driverFor(runtime) +
           " or newer (Debian, Ubuntu: apt-get install nvidia-open; in a container, start it with --gpus "
           "all)";
  }
  if (driver / 1000 < runtime / 1000) {
    return "the driver is too old for CUDA " + cudaVersionText(runtime) + ": it knows CUDA " +
           cudaVersionText(driver) + "; install driver " + driverFor(runtime) +
           " or newer, or build with an older CUDA";
  }
  return {};
}

// Adds what there is to say of a GPU to `notes`, and the GPU where it can be used.
void addDevice(Backend& backend, std::string& notes, int index) {
  cudaDeviceProp properties{};
  if (const cudaError_t status = cudaGetDeviceProperties(&properties, index); status != cudaSuccess) {
    cudaGetLastError();
    notes += "  cuda:" + std::to_string(index) + ": " + cudaGetErrorString(status) + "\n";
    return;
  }
  const std::string id = "cuda:" + std::to_string(index);
  notes += "  " + id + ": " + properties.name + ", compute capability " + std::to_string(properties.major) +
           "." + std::to_string(properties.minor) + ", " + std::to_string(properties.totalGlobalMem >> 20U) +
           " MiB\n";
  const int capability = properties.major * 10 + properties.minor;
  if (capability < 75) {
    notes +=
        "    not used: its compute capability is below 7.5 (Turing), the oldest that cuDNN 9 plans for\n";
    return;
  }
  const CudnnSearch& search = cudnn();
  if (search.library == nullptr) {
    return;
  }
  const std::string identity = planIdentity(search.library->versionText, search.library->cudaVersion,
                                            capability, properties.multiProcessorCount);
  const EngineOptions options{computesBFloat16(capability)};
  backend.devices.push_back({id, properties.name, "cuDNN " + search.library->versionText,
                             properties.totalGlobalMem,
                             [index, options, identity](EngineMemory& memory) {
                               return std::make_unique<CudaEngine>(index, identity, options, memory);
                             },
                             [index] { return describeDevice(index); }});
}

// Adds the GPUs, and gives what there is to say of them and of the driver.
std::string addDevices(Backend& backend) {
  int runtime = 0;
  int driver = 0;
  cudaRuntimeGetVersion(&runtime);
  cudaDriverGetVersion(&driver);
  if (const std::string problem = driverProblem(driver, runtime); !problem.empty()) {
    return problem + "\n";
  }
  std::string notes = "driver: knows CUDA " + cudaVersionText(driver) + "\n";
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  cudaGetLastError();
  if (status != cudaSuccess || count == 0) {
    return notes + "no GPU: " + cudaGetErrorString(status != cudaSuccess ? status : cudaErrorNoDevice) +
           "; nvidia-smi lists what the driver sees, CUDA_VISIBLE_DEVICES what it may show\n";
  }
  for (int index = 0; index < count; ++index) {
    addDevice(backend, notes, index);
  }
  return notes;
}

std::string describeLibraries() {
  const CudnnSearch& search = cudnn();
  return "CUDA engine: built with CUDA " + cudaVersionText(CUDART_VERSION) +
         " for " CUDNN_RESNET_CUDA_ARCHITECTURES ", cuDNN " + std::to_string(CUDNN_MAJOR) + "." +
         std::to_string(CUDNN_MINOR) + "." + std::to_string(CUDNN_PATCHLEVEL) + "'s headers\n" +
         (search.library != nullptr
              ? "cuDNN " + search.library->versionText + ": " + search.library->path + "\n"
              : search.problem + "\n") +
         "libraries that cuDNN compiles and multiplies with:\n" + search.notes;
}

}  // namespace

Backend backend() noexcept {
  Backend backend;
  backend.planner = [](const PlanningOptions& options) {
    return DeviceDescription{"planner",
                             "a GPU that need not be there",
                             "cuDNN",
                             UINT64_MAX,
                             [options](EngineMemory&) { return std::make_unique<PlanningEngine>(options); },
                             {}};
  };
  std::string notes;
  try {
    notes = addDevices(backend);
  } catch (const std::exception& error) {
    backend.devices.clear();
    notes = std::string("CUDA engine: ") + error.what() + "\n";
  }
  // Opening cuDNN takes tenths of a second, which nobody who has no GPU is to wait for.
  backend.report = [notes] { return describeLibraries() + notes; };
  return backend;
}

}  // namespace cudnn_resnet::cuda
