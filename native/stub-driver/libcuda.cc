// A libcuda.so.1 for machines without a driver, just enough for cuDNN to plan and compile for a GPU that is
// not there. It stands for a new driver that sees no device; nothing can run on it. Opened by
// cuda/driver.cc, by nothing else.
#include <cstdint>
#include <cstring>

extern "C" {

enum : int { success = 0, noDevice = 100, notFound = 500, driverVersion = 13000 };

int cuInit(unsigned flags) {
  (void)flags;
  return success;
}

int cuDriverGetVersion(int* version) {
  *version = driverVersion;
  return success;
}

int cuDeviceGetCount(int* count) {
  *count = 0;
  return success;
}

int cuGetErrorName(int error, const char** text) {
  *text = error == noDevice ? "CUDA_ERROR_NO_DEVICE" : "CUDA_ERROR_UNKNOWN";
  return success;
}

int cuGetErrorString(int error, const char** text) {
  *text = error == noDevice ? "the stub driver has no device" : "an error of the stub driver";
  return success;
}

int cuGetProcAddress_v2(const char* symbol, void** function, int version, uint64_t flags, int* status);

int cuGetProcAddress(const char* symbol, void** function, int version, uint64_t flags) {
  struct Known {
    const char* name;
    void* function;
  };
  static const Known known[] = {
      {"cuInit", reinterpret_cast<void*>(&cuInit)},
      {"cuDriverGetVersion", reinterpret_cast<void*>(&cuDriverGetVersion)},
      {"cuDeviceGetCount", reinterpret_cast<void*>(&cuDeviceGetCount)},
      {"cuGetErrorName", reinterpret_cast<void*>(&cuGetErrorName)},
      {"cuGetErrorString", reinterpret_cast<void*>(&cuGetErrorString)},
      {"cuGetProcAddress", reinterpret_cast<void*>(&cuGetProcAddress_v2)},
  };
  (void)version;
  (void)flags;
  *function = nullptr;
  for (const Known& one : known) {
    if (std::strcmp(symbol, one.name) == 0) {
      *function = one.function;
      return success;
    }
  }
  return notFound;
}

int cuGetProcAddress_v2(const char* symbol, void** function, int version, uint64_t flags, int* status) {
  const int result = cuGetProcAddress(symbol, function, version, flags);
  if (status != nullptr) {
    *status = result == success ? 0 : 1;
  }
  return result;
}

// CUDA's runtime reads a table that this must give, unless it fails.
#define UNAVAILABLE(name) \
  int name(void) { return noDevice; }
UNAVAILABLE(cuGetExportTable)

// cuDNN looks these up by name, and loads no engine where one is missing.
UNAVAILABLE(cuCtxGetCurrent)
UNAVAILABLE(cuCtxGetDevice)
UNAVAILABLE(cuCtxGetLimit)
UNAVAILABLE(cuCtxPopCurrent)
UNAVAILABLE(cuCtxPushCurrent)
UNAVAILABLE(cuDeviceGet)
UNAVAILABLE(cuDeviceGetAttribute)
UNAVAILABLE(cuDeviceGetName)
UNAVAILABLE(cuDevicePrimaryCtxRetain)
UNAVAILABLE(cuFuncSetAttribute)
UNAVAILABLE(cuKernelGetAttribute)
UNAVAILABLE(cuKernelSetAttribute)
UNAVAILABLE(cuLaunchCooperativeKernel)
UNAVAILABLE(cuLaunchKernel)
UNAVAILABLE(cuLaunchKernelEx)
UNAVAILABLE(cuLibraryGetKernel)
UNAVAILABLE(cuLibraryLoadData)
UNAVAILABLE(cuLibraryLoadFromFile)
UNAVAILABLE(cuLibraryUnload)
UNAVAILABLE(cuLinkAddData)
UNAVAILABLE(cuLinkComplete)
UNAVAILABLE(cuLinkCreate)
UNAVAILABLE(cuLinkDestroy)
UNAVAILABLE(cuModuleGetFunction)
UNAVAILABLE(cuModuleLoadData)
UNAVAILABLE(cuModuleLoadDataEx)
UNAVAILABLE(cuModuleUnload)
UNAVAILABLE(cuOccupancyMaxPotentialClusterSize)
UNAVAILABLE(cuStreamGetCtx)
UNAVAILABLE(cuTensorMapEncodeIm2col)
UNAVAILABLE(cuTensorMapEncodeTiled)

}  // extern "C"
