// The handle by which JavaScript holds a tensor.
#pragma once

#include <napi.h>

#include <memory>

#include "core/device.h"

namespace cudnn_resnet {

class TensorHandle : public Napi::ObjectWrap<TensorHandle> {
 public:
  static Napi::Function defineClass(Napi::Env env);

  // A new handle.
  static Napi::Object wrap(Napi::Env env, std::shared_ptr<Device> device, TensorPtr tensor);

  // The handle that `value` is; Error(Argument) where it is none, Error(Disposed) where it was disposed of.
  // `what` names the argument in the message.
  static TensorHandle& from(const Napi::Value& value, const std::string& what);

  // For JavaScript's `new`, which only wrap() may use.
  explicit TensorHandle(const Napi::CallbackInfo& info);
  void Finalize(Napi::BasicEnv env) override;

  [[nodiscard]] const std::shared_ptr<Device>& device() const noexcept { return device_; }
  [[nodiscard]] const TensorPtr& tensor() const noexcept { return tensor_; }

 private:
  struct Origin {
    std::shared_ptr<Device> device;
    TensorPtr tensor;
  };

  template <Napi::Value (TensorHandle::*method)(const Napi::CallbackInfo&)>
  Napi::Value guardedMethod(const Napi::CallbackInfo& info);

  Napi::Value data(const Napi::CallbackInfo& info);
  Napi::Value dataSync(const Napi::CallbackInfo& info);
  Napi::Value topK(const Napi::CallbackInfo& info);
  Napi::Value cancel(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);
  Napi::Value disposed(const Napi::CallbackInfo& info);
  Napi::Value failed(const Napi::CallbackInfo& info);

  // The tensor, or Error(Disposed).
  [[nodiscard]] const TensorPtr& live(const char* method) const;
  void release(Napi::BasicEnv env);

  std::shared_ptr<Device> device_;
  TensorPtr tensor_;
  std::weak_ptr<Tensor> released_;  // what this was the handle of
};

}  // namespace cudnn_resnet
