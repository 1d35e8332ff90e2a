// The handle by which JavaScript holds a program.
#pragma once

#include <napi.h>

#include <memory>

#include "core/device.h"

namespace cudnn_resnet {

class ProgramHandle : public Napi::ObjectWrap<ProgramHandle> {
 public:
  static Napi::Function defineClass(Napi::Env env);

  // record({device, inputs, body}): NativeProgram
  static Napi::Value record(const Napi::CallbackInfo& info);

  // For JavaScript's `new`, which only record() may use.
  explicit ProgramHandle(const Napi::CallbackInfo& info);
  void Finalize(Napi::BasicEnv env) override;

 private:
  struct Origin {
    std::shared_ptr<Device> device;
    std::shared_ptr<Program> program;
  };

  template <Napi::Value (ProgramHandle::*method)(const Napi::CallbackInfo&)>
  Napi::Value guardedMethod(const Napi::CallbackInfo& info);

  Napi::Value run(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);
  void release();

  std::shared_ptr<Device> device_;
  std::shared_ptr<Program> program_;
};

}  // namespace cudnn_resnet
