// Functions that make tensors, and those that copy them, as functions of JavaScript; binding.d.ts gives their
// types.
#pragma once

#include <napi.h>

namespace cudnn_resnet::creation {

Napi::Value upload(const Napi::CallbackInfo& info);
Napi::Value write(const Napi::CallbackInfo& info);
Napi::Value fill(const Napi::CallbackInfo& info);
Napi::Value zeros(const Napi::CallbackInfo& info);
Napi::Value random(const Napi::CallbackInfo& info);
Napi::Value unwritten(const Napi::CallbackInfo& info);
Napi::Value cast(const Napi::CallbackInfo& info);
Napi::Value reshape(const Napi::CallbackInfo& info);
Napi::Value assign(const Napi::CallbackInfo& info);
Napi::Value copyTo(const Napi::CallbackInfo& info);

}  // namespace cudnn_resnet::creation
