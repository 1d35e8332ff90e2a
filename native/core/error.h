// What went wrong, in the form that reaches JavaScript as a CudnnResnetError.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>

namespace cudnn_resnet {

enum class ErrorCode {
  Argument,
  Shape,
  DType,
  Device,
  Disposed,
  OutOfMemory,
  Weights,
  DeviceLost,
  Busy,
  Aborted,
  Backend,
  Native
};

class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}

  [[nodiscard]] ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

// What work ended with; nullptr where all went well.
using Outcome = std::shared_ptr<const Error>;

// The name JavaScript knows a code by, for example "ERR_SHAPE".
[[nodiscard]] const char* name(ErrorCode code) noexcept;

// The exception being handled, as an Error: what the standard library and vendors throw is given a code.
// Where there is no memory left to say it with, that is the error.
[[nodiscard]] Error currentError() noexcept;

// The same, for several to hold.
[[nodiscard]] std::shared_ptr<const Error> sharedCurrentError() noexcept;

}  // namespace cudnn_resnet
