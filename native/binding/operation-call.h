// One call of an operation from JavaScript: collects its tensors and queues the work.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "binding/options.h"
#include "core/device.h"

namespace cudnn_resnet {

class OperationCall : public Options {
 public:
  OperationCall(const Napi::CallbackInfo& info, const char* operation);

  // A tensor that the operation reads. All must be on one device: Error(Device) where they are not.
  TensorPtr input(const char* name);
  TensorPtr optionalInput(const char* name);  // nullptr where absent

  // A tensor that the operation writes over; on the device of those that it reads, which come first.
  TensorPtr target(const char* name);

  [[nodiscard]] const std::shared_ptr<Device>& device() const noexcept { return device_; }

  // Queues `run` and returns the handle of the tensor that it will write; `pure` as in Operation.
  Napi::Value output(Shape shape, DType dtype, std::function<void(Engine&, Tensor& y)> run, bool pure = true);

  // Queues `run`, which writes several tensors; returns nothing.
  void submit(std::vector<TensorPtr> outputs, std::function<void(Engine&)> run);

 private:
  TensorPtr input(const char* name, const Napi::Value& value);

  Napi::Env env_;
  std::string operation_;
  std::string first_;  // the name of the input that decided the device
  std::shared_ptr<Device> device_;
  std::vector<TensorPtr> inputs_;
};

}  // namespace cudnn_resnet
