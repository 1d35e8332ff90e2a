// The first calls that JavaScript makes: its class of errors goes in, what the machine has comes out; and the
// last.
#pragma once

#include <napi.h>

namespace cudnn_resnet {

Napi::Value setup(const Napi::CallbackInfo& info);
Napi::Value holdQueues(const Napi::CallbackInfo& info);
Napi::Value findDevices(const Napi::CallbackInfo& info);
Napi::Value listDevices(const Napi::CallbackInfo& info);
Napi::Value diagnose(const Napi::CallbackInfo& info);
Napi::Value deviceProperties(const Napi::CallbackInfo& info);

}  // namespace cudnn_resnet
