#include "binding/operation-call.h"

#include <algorithm>
#include <utility>

#include "binding/tensor-handle.h"

namespace cudnn_resnet {

OperationCall::OperationCall(const Napi::CallbackInfo& info, const char* operation)
    : Options(info[0], operation), env_(info.Env()), operation_(operation) {}

TensorPtr OperationCall::input(const char* name) { return input(name, get(name)); }

TensorPtr OperationCall::input(const char* name, const Napi::Value& value) {
  const TensorHandle& handle = TensorHandle::from(value, what(name));
  if (!device_) {
    device_ = handle.device();
    first_ = name;
  } else if (device_ != handle.device()) {
    throw Error(ErrorCode::Device, what(name) + " is on " + handle.device()->id() + ", but " + first_ +
                                       " is on " + device_->id() + "; move one with .to({device})");
  }
  inputs_.push_back(handle.tensor());
  return handle.tensor();
}

TensorPtr OperationCall::optionalInput(const char* name) {
  const Napi::Value value = get(name);
  return isAbsent(value) ? nullptr : input(name, value);
}

TensorPtr OperationCall::target(const char* name) {
  TensorPtr y = input(name);
  inputs_.pop_back();  // an error that it has is no reason to fail
  return y;
}

Napi::Value OperationCall::output(Shape shape, DType dtype, std::function<void(Engine&, Tensor& y)> run,
                                  bool pure) {
  checkAddressable(shape, operation_ + ": the result's shape");
  if (std::ranges::none_of(inputs_, [](const TensorPtr& x) { return x->recording != nullptr; })) {
    device_->backlog().requireRoom(0);  // what is recorded is not queued
  }
  const auto y = std::make_shared<Tensor>(std::move(shape), dtype);
  device_->submit({std::move(inputs_),
                   {y},
                   [y, run = std::move(run)](Engine& engine) { run(engine, *y); },
                   pure,
                   0,
                   operation_});
  return TensorHandle::wrap(env_, device_, y);
}

void OperationCall::submit(std::vector<TensorPtr> outputs, std::function<void(Engine&)> run) {
  device_->submit({std::move(inputs_), std::move(outputs), std::move(run), false, 0, operation_});
}

}  // namespace cudnn_resnet
