// The scaling of decoded pictures, which no device does, as a function of JavaScript; binding.d.ts gives its
// type.
#pragma once

#include <napi.h>

namespace cudnn_resnet {

Napi::Value resample(const Napi::CallbackInfo& info);

}  // namespace cudnn_resnet
