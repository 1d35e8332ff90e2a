// Work on decoded pictures, which no device does, as functions of JavaScript; binding.d.ts gives names and
// types.
#pragma once

#include <napi.h>

namespace cudnn_resnet::pictures {

Napi::Value resample(const Napi::CallbackInfo& info);

}  // namespace cudnn_resnet::pictures
