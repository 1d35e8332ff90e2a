// The operations on tensors, as functions of JavaScript. Each takes one object of options; binding.d.ts gives
// their names and types.
#pragma once

#include <napi.h>

namespace cudnn_resnet::operations {

Napi::Value conv2d(const Napi::CallbackInfo& info);
Napi::Value linear(const Napi::CallbackInfo& info);
Napi::Value batchNorm(const Napi::CallbackInfo& info);
Napi::Value batchNormTraining(const Napi::CallbackInfo& info);
Napi::Value foldBatchNorm(const Napi::CallbackInfo& info);
Napi::Value activation(const Napi::CallbackInfo& info);
Napi::Value add(const Napi::CallbackInfo& info);
Napi::Value maxPool2d(const Napi::CallbackInfo& info);
Napi::Value avgPool2d(const Napi::CallbackInfo& info);
Napi::Value globalAvgPool(const Napi::CallbackInfo& info);
Napi::Value softmax(const Napi::CallbackInfo& info);
Napi::Value normalizeImage(const Napi::CallbackInfo& info);

}  // namespace cudnn_resnet::operations
