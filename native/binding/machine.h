// What the machine has, told to JavaScript.
#pragma once

#include <napi.h>

namespace cudnn_resnet {

Napi::Value findDevices(const Napi::CallbackInfo& info);
Napi::Value listDevices(const Napi::CallbackInfo& info);
Napi::Value diagnose(const Napi::CallbackInfo& info);
Napi::Value deviceProperties(const Napi::CallbackInfo& info);

}  // namespace cudnn_resnet
