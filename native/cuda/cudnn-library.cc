#include "cuda/cudnn-library.h"

#include <cuda_runtime_api.h>
#include <dlfcn.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "cuda/error.h"

// cudnn-frontend looks cuDNN's functions up in this.
namespace cudnn_frontend {
extern void* cudnn_dlhandle;
void* cudnn_dlhandle = nullptr;
}  // namespace cudnn_frontend

namespace cudnn_resnet::cuda {
namespace {

namespace fs = std::filesystem;

constexpr int oldestVersion = 90800;  // the first that describes a device and plans for it
constexpr const char* install = "install cuDNN 9 (apt-get install cudnn9-cuda-" CUDNN_RESNET_CUDA_MAJOR
                                ", or pip install nvidia-cudnn-cu" CUDNN_RESNET_CUDA_MAJOR
                                ", or npm run setup:cuda -- --cuda " CUDNN_RESNET_CUDA_MAJOR
                                " in the package's folder), or set CUDNN_PATH to the "
                                "folder that holds lib/libcudnn.so.9";

std::vector<fs::path> split(std::string_view list) {
  std::vector<fs::path> paths;
  while (!list.empty()) {
    const size_t colon = std::min(list.find(':'), list.size());
    if (colon > 0) {
      paths.emplace_back(list.substr(0, colon));
    }
    list.remove_prefix(std::min(colon + 1, list.size()));
  }
  return paths;
}

void addFolder(std::vector<fs::path>& folders, const char* variable,
               std::initializer_list<const char*> inside) {
  if (const char* root = std::getenv(variable); root != nullptr && *root != '\0') {
    for (const char* folder : inside) {
      folders.push_back(fs::path(root) / folder);
    }
  }
}

// Of an environment of Python that is active, the wheels of NVIDIA.
void addWheels(std::vector<fs::path>& folders, std::initializer_list<const char*> inside) {
  const char* environment = std::getenv("VIRTUAL_ENV");
  if (environment == nullptr) {
    return;
  }
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(fs::path(environment) / "lib", ignored)) {
    for (const char* folder : inside) {
      folders.push_back(entry.path() / "site-packages" / "nvidia" / folder);
    }
  }
}

// What the environment names, then where the build found it, then where the loader looks, for which an empty
// path stands, then the environment of Python.
std::vector<fs::path> foldersOf(const char* variable, std::initializer_list<const char*> inside,
                                std::string_view ofBuild, std::initializer_list<const char*> inWheels) {
  std::vector<fs::path> folders;
  addFolder(folders, variable, inside);
  const auto add = [&](std::string_view list) {
    for (fs::path& path : split(list)) {
      folders.push_back(std::move(path));
    }
  };
  if (const char* list = std::getenv("LD_LIBRARY_PATH"); list != nullptr) {
    add(list);
  }
  add(ofBuild);
  folders.emplace_back();
  addWheels(folders, inWheels);
  return folders;
}

std::vector<fs::path> cudnnFolders() {
  return foldersOf("CUDNN_PATH", {"lib", "lib64", ""}, CUDNN_RESNET_CUDNN_LIBRARY_DIRS, {"cudnn/lib"});
}

std::vector<fs::path> cudaFolders() {
  return foldersOf("CUDA_PATH", {"lib64", "lib"}, CUDNN_RESNET_CUDA_LIBRARY_DIRS,
                   {"cu" CUDNN_RESNET_CUDA_MAJOR "/lib", "cublas/lib", "cuda_nvrtc/lib"});
}

struct Opened {
  void* handle = nullptr;
  fs::path path;
  std::string problem;  // of the last file that is there and cannot be opened
};

Opened open(const std::vector<fs::path>& folders, const std::string& name) {
  Opened opened;
  for (const fs::path& folder : folders) {
    const fs::path path = folder.empty() ? fs::path(name) : folder / name;
    std::error_code ignored;
    if (!folder.empty() && !fs::exists(path, ignored)) {
      continue;
    }
    opened.handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (opened.handle != nullptr) {
      opened.path = path;
      return opened;
    }
    if (const char* error = dlerror(); error != nullptr && !folder.empty()) {
      opened.problem = error;
    }
  }
  return opened;
}

// cuDNN opens these by name when a plan first needs them. Opened here, they are found wherever they stand.
std::string openHelpers() {
  std::string notes;
  const auto folders = cudaFolders();
  for (const std::string name :
       {"libcublasLt.so." CUDNN_RESNET_CUDA_MAJOR, "libnvrtc.so." CUDNN_RESNET_CUDA_MAJOR}) {
    const Opened opened = open(folders, name);
    if (opened.handle == nullptr) {
      notes += "  " + name +
               " was not found: set CUDA_PATH to the folder of CUDA " CUDNN_RESNET_CUDA_MAJOR
               ", or LD_LIBRARY_PATH to the folder of this file\n";
      continue;
    }
    notes += "  " + opened.path.string() + "\n";
    // NVRTC in turn opens its built-in functions by name.
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(opened.path.parent_path(), ignored)) {
      const std::string file = entry.path().filename().string();
      if (name.starts_with("libnvrtc") && file.starts_with("libnvrtc-builtins.so.") &&
          entry.is_regular_file(ignored)) {
        dlopen(entry.path().c_str(), RTLD_NOW | RTLD_LOCAL);
      }
    }
  }
  return notes;
}

template <typename Function>
bool find(void* handle, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(handle, name));
  return function != nullptr;
}

std::string versionText(int version) {
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

std::string missing(const std::string& problem) {
  const Opened older = open(cudnnFolders(), "libcudnn.so.8");
  if (older.handle != nullptr) {
    dlclose(older.handle);
    return "cuDNN 8 was found (" + older.path.string() + "), but this engine needs cuDNN 9.8 or newer; " +
           install;
  }
  return "cuDNN was not found" + (problem.empty() ? "" : " (" + problem + ")") + "; " + install;
}

CudnnSearch search() {
  CudnnSearch found;
  found.notes = openHelpers();
  const Opened opened = open(cudnnFolders(), "libcudnn.so.9");
  if (opened.handle == nullptr) {
    found.problem = missing(opened.problem);
    return found;
  }
  static CudnnLibrary library;
  decltype(&cudnnGetVersion) version = nullptr;
  decltype(&cudnnGetCudartVersion) cudaVersion = nullptr;
  void* handle = opened.handle;
  const bool complete =
      find(handle, "cudnnGetVersion", version) && find(handle, "cudnnGetCudartVersion", cudaVersion) &&
      find(handle, "cudnnCreate", library.create) && find(handle, "cudnnDestroy", library.destroy) &&
      find(handle, "cudnnSetStream", library.setStream) &&
      find(handle, "cudnnGetErrorString", library.errorString) &&
      find(handle, "cudnnGetLastErrorString", library.lastErrorString) &&
      find(handle, "cudnnBackendCreateDescriptor", library.createDescriptor) &&
      find(handle, "cudnnBackendDestroyDescriptor", library.destroyDescriptor) &&
      find(handle, "cudnnBackendSetAttribute", library.setAttribute) &&
      find(handle, "cudnnBackendGetAttribute", library.getAttribute) &&
      find(handle, "cudnnBackendFinalize", library.finalize) &&
      find(handle, "cudnnBackendExecute", library.execute);
  if (!complete) {
    found.problem = opened.path.string() + " lacks functions of cuDNN 9; " + install;
    return found;
  }
  library.path = opened.path.string();
  library.version = static_cast<int>(version());
  library.versionText = versionText(library.version);
  library.cudaVersion = cudaVersion();
  if (library.version < oldestVersion) {
    found.problem = "cuDNN " + library.versionText + " (" + library.path + ") is older than 9.8; " + install;
    return found;
  }
  // cudnn-frontend asks the library for what its headers promised.
  if (library.version < CUDNN_VERSION) {
    found.problem = "cuDNN " + library.versionText + " (" + library.path + ") is older than " +
                    versionText(CUDNN_VERSION) +
                    ", with which this engine was built; npm rebuild cudnn-resnet builds it with " +
                    library.versionText + ", or update cuDNN";
    return found;
  }
  if (library.cudaVersion / 1000 != std::stoul(CUDNN_RESNET_CUDA_MAJOR)) {
    found.problem = "cuDNN " + library.versionText + " (" + library.path + ") was built for CUDA " +
                    std::to_string(library.cudaVersion / 1000) +
                    ", this engine for CUDA " CUDNN_RESNET_CUDA_MAJOR "; " + install;
    return found;
  }
  cudnn_frontend::cudnn_dlhandle = handle;
  found.library = &library;
  return found;
}

}  // namespace

const CudnnSearch& cudnn() {
  static const CudnnSearch found = search();
  return found;
}

const CudnnLibrary& requireCudnn() {
  const CudnnSearch& found = cudnn();
  if (found.library == nullptr) {
    throw Error(ErrorCode::Device, found.problem);
  }
  return *found.library;
}

void check(cudnnStatus_t status, const char* what) {
  if (status == CUDNN_STATUS_SUCCESS) {
    return;
  }
  check(cudaGetLastError(), what);
  std::string message = std::string(what) + ": " + requireCudnn().errorString(status);
  std::array<char, 1024> reason{};
  requireCudnn().lastErrorString(reason.data(), reason.size());
  if (reason[0] != '\0') {
    message += std::string(" (") + reason.data() + ")";
  }
  const bool memory = status == CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED ||
                      status == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED;
  throw Error(memory ? ErrorCode::OutOfMemory : ErrorCode::Backend, message);
}

void checkOnDevice(cudnnStatus_t status, const char* what) {
  if (status != CUDNN_STATUS_SUCCESS) {
    checkDevice(what);
  }
  check(status, what);
}

}  // namespace cudnn_resnet::cuda
