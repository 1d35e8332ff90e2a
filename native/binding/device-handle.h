// The handle by which JavaScript holds a device.
#pragma once

#include <napi.h>

#include <memory>

#include "core/device.h"

namespace cudnn_resnet {

class DeviceHandle : public Napi::ObjectWrap<DeviceHandle> {
 public:
  static Napi::Function defineClass(Napi::Env env);

  // openDevice(id): NativeDevice
  static Napi::Value open(const Napi::CallbackInfo& info);

  static Napi::Object wrap(Napi::Env env, std::shared_ptr<Device> device);

  // Error(Argument) where `value` is no device.
  static DeviceHandle& from(const Napi::Value& value, const std::string& what);

  // For JavaScript's `new`, which only open() may use.
  explicit DeviceHandle(const Napi::CallbackInfo& info);

  [[nodiscard]] const std::shared_ptr<Device>& device() const noexcept { return device_; }

 private:
  template <Napi::Value (DeviceHandle::*method)(const Napi::CallbackInfo&)>
  Napi::Value guardedMethod(const Napi::CallbackInfo& info);

  Napi::Value memory(const Napi::CallbackInfo& info);
  Napi::Value synchronize(const Napi::CallbackInfo& info);
  Napi::Value trim(const Napi::CallbackInfo& info);
  Napi::Value setMemoryLimit(const Napi::CallbackInfo& info);
  Napi::Value usePlans(const Napi::CallbackInfo& info);
  Napi::Value setThreads(const Napi::CallbackInfo& info);
  Napi::Value startProfile(const Napi::CallbackInfo& info);
  Napi::Value profileLayer(const Napi::CallbackInfo& info);
  Napi::Value endProfile(const Napi::CallbackInfo& info);
  Napi::Value pending(const Napi::CallbackInfo& info);
  Napi::Value ready(const Napi::CallbackInfo& info);
  Napi::Value setQueueLimit(const Napi::CallbackInfo& info);

  std::shared_ptr<Device> device_;
};

}  // namespace cudnn_resnet
