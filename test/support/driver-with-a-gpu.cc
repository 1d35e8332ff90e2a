// A driver that shows one GPU, unless CUDA_VISIBLE_DEVICES hides it, and takes no code, as it takes none that
// was compiled for another kind of GPU. CUDA's runtime sees no GPU.
#define cuInit hiddenInit
#define cuDeviceGetCount hiddenDeviceGetCount
#define cuLibraryLoadData hiddenLibraryLoadData
#include "../../native/stub-driver/libcuda.cc"
#undef cuInit
#undef cuDeviceGetCount
#undef cuLibraryLoadData

#include <cstdlib>

extern "C" {

int cuInit(unsigned) { return std::getenv("CUDA_VISIBLE_DEVICES") == nullptr ? success : noDevice; }
int cuDeviceGetCount(int* count) {
  *count = 1;
  constexpr int notInitialized = 3;
  return cuInit(0) == success ? success : notInitialized;
}
int cuLibraryLoadData() {
  constexpr int noBinaryForGpu = 209;
  return noBinaryForGpu;
}

}  // extern "C"
