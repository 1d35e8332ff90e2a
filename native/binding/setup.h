// The first call that JavaScript makes: its class of errors goes in; and the last.
#pragma once

#include <napi.h>

namespace cudnn_resnet {

Napi::Value setup(const Napi::CallbackInfo& info);
Napi::Value holdQueues(const Napi::CallbackInfo& info);

}  // namespace cudnn_resnet
