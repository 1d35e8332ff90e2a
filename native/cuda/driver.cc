#include "cuda/driver.h"

#include <dlfcn.h>

#include <filesystem>
#include <string>

#include "core/error.h"

namespace cudnn_resnet::cuda {
namespace {

// The file that this code was loaded from.
std::filesystem::path thisLibrary() {
  Dl_info found{};
  return dladdr(reinterpret_cast<void*>(&requireDriver), &found) != 0 ? found.dli_fname : "";
}

}  // namespace

void requireDriver() {
  // Global, and never closed: cuDNN looks for it by its name when it first needs it.
  if (dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL) != nullptr) {
    return;
  }
  const auto stub = thisLibrary().parent_path() / "stub-driver" / "libcuda.so.1";
  if (dlopen(stub.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    const char* reason = dlerror();
    throw Error(ErrorCode::Device,
                "neither a driver of NVIDIA nor the stub that stands in for one can be opened: " +
                    std::string(reason != nullptr ? reason : stub.string()) + "; npm rebuild cudnn-resnet");
  }
}

}  // namespace cudnn_resnet::cuda
