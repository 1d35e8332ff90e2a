#include "cuda/error.h"

#include <string>

#include "core/error.h"

namespace cudnn_resnet::cuda {

namespace {

// Whether every later call to the device fails as well.
bool isSticky(cudaError_t status) noexcept {
  // Those that not every supported header names: cudaErrorContained, cudaErrorTensorMemoryLeak,
  // cudaErrorExternalDevice.
  if (const int number = status; number == 226 || number == 721 || number == 911) {
    return true;
  }
  switch (status) {
    case cudaErrorNoDevice:
    case cudaErrorIllegalAddress:
    case cudaErrorIllegalInstruction:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorMisalignedAddress:
    case cudaErrorHardwareStackError:
    case cudaErrorLaunchFailure:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorDevicesUnavailable:
    case cudaErrorContextIsDestroyed:
    case cudaErrorMpsClientTerminated:
    case cudaErrorCudartUnloading:
    case cudaErrorUnknown:
      return true;
    default:
      return false;
  }
}

}  // namespace

void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) {
    return;
  }
  cudaGetLastError();  // it has been seen: the next check is about the next call
  const std::string message =
      std::string(what) + ": " + cudaGetErrorString(status) + " (" + cudaGetErrorName(status) + ")";
  if (status == cudaErrorMemoryAllocation) {
    throw Error(ErrorCode::OutOfMemory, message + "; dispose of tensors, or take a smaller batch");
  }
  if (isSticky(status)) {
    throw Error(ErrorCode::DeviceLost,
                message + "; the GPU answers nothing more in this process: start a new one");
  }
  throw Error(ErrorCode::Backend, message);
}

void checkDevice(const char* what) {
  constexpr size_t little = size_t{64} << 20U;
  size_t available = 0;
  size_t total = 0;
  check(cudaMemGetInfo(&available, &total), what);
  if (available < little) {
    throw Error(ErrorCode::OutOfMemory,
                std::string(what) + ": " + std::to_string(available) + " of the GPU's " +
                    std::to_string(total) +
                    " bytes are free; dispose of tensors and trim(), or end other processes on this GPU");
  }
}

}  // namespace cudnn_resnet::cuda
