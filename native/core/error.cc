#include "core/error.h"

#include <new>

namespace cudnn_resnet {
namespace {

// Made while there is memory. A copy of it takes none.
const std::shared_ptr<const Error> noMemory =
    std::make_shared<const Error>(ErrorCode::OutOfMemory, "the host has no memory left for this operation");

Error described() {
  try {
    throw;
  } catch (const Error& error) {
    return error;
  } catch (const std::bad_alloc&) {
    return *noMemory;
  } catch (const std::exception& error) {
    return {ErrorCode::Native, error.what()};
  } catch (...) {
    return {ErrorCode::Native, "an exception of an unknown type"};
  }
}

}  // namespace

const char* name(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::Argument:
      return "ERR_ARGUMENT";
    case ErrorCode::Shape:
      return "ERR_SHAPE";
    case ErrorCode::DType:
      return "ERR_DTYPE";
    case ErrorCode::Device:
      return "ERR_DEVICE";
    case ErrorCode::Disposed:
      return "ERR_DISPOSED";
    case ErrorCode::OutOfMemory:
      return "ERR_OUT_OF_MEMORY";
    case ErrorCode::Weights:
      return "ERR_WEIGHTS";
    case ErrorCode::DeviceLost:
      return "ERR_DEVICE_LOST";
    case ErrorCode::Busy:
      return "ERR_BUSY";
    case ErrorCode::Aborted:
      return "ERR_ABORTED";
    case ErrorCode::Backend:
      return "ERR_BACKEND";
    case ErrorCode::Native:
      return "ERR_NATIVE";
  }
  return "ERR_NATIVE";
}

Error currentError() noexcept {
  try {
    return described();
  } catch (const std::bad_alloc&) {
    return *noMemory;
  }
}

std::shared_ptr<const Error> sharedCurrentError() noexcept {
  try {
    return std::make_shared<const Error>(currentError());
  } catch (const std::bad_alloc&) {
    return noMemory;
  }
}

}  // namespace cudnn_resnet
