// cuDNN, opened at run time so that the addon loads where there is none.
#pragma once

#include <cudnn.h>

#include <string>

namespace cudnn_resnet::cuda {

// The functions of cuDNN that the engine calls itself; cudnn-frontend looks up its own.
struct CudnnLibrary {
  std::string path;
  int version = 0;          // 92400 for 9.24.0
  std::string versionText;  // "9.24.0"
  size_t cudaVersion = 0;   // of the toolkit it was built with: 13000

  decltype(&cudnnCreate) create = nullptr;
  decltype(&cudnnDestroy) destroy = nullptr;
  decltype(&cudnnSetStream) setStream = nullptr;
  decltype(&cudnnGetErrorString) errorString = nullptr;
  decltype(&cudnnGetLastErrorString) lastErrorString = nullptr;
  decltype(&cudnnBackendCreateDescriptor) createDescriptor = nullptr;
  decltype(&cudnnBackendDestroyDescriptor) destroyDescriptor = nullptr;
  decltype(&cudnnBackendSetAttribute) setAttribute = nullptr;
  decltype(&cudnnBackendGetAttribute) getAttribute = nullptr;
  decltype(&cudnnBackendFinalize) finalize = nullptr;
  decltype(&cudnnBackendExecute) execute = nullptr;
};

struct CudnnSearch {
  const CudnnLibrary* library = nullptr;  // none where `problem` says why
  std::string problem;                    // what is missing or wrong, and what to do about it
  std::string notes;                      // what was found of the libraries that cuDNN itself opens
};

// Looks on the first call.
[[nodiscard]] const CudnnSearch& cudnn();

// The library; throws Error(Device) with the problem where there is none.
[[nodiscard]] const CudnnLibrary& requireCudnn();

// Throws what a call of cuDNN failed with.
void check(cudnnStatus_t status, const char* what);
// As check, of a call on a device, which may be lost or full: cuDNN need not say so.
void checkOnDevice(cudnnStatus_t status, const char* what);

}  // namespace cudnn_resnet::cuda
