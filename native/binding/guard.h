// Errors on their way from the core to JavaScript.
#pragma once

#include <napi.h>

#include "binding/environment.h"

namespace cudnn_resnet {

// Runs `body` and throws what it throws as JavaScript's CudnnResnetError.
template <typename Body>
auto guarded(Napi::Env env, Body&& body) {
  const Environment::Call call(Environment::of(env));
  try {
    return body();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw Environment::of(env).toJavaScript(currentError());
  }
}

// As a function that Node-API can call.
template <Napi::Value (*function)(const Napi::CallbackInfo&)>
Napi::Value guardedFunction(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return function(info); });
}

}  // namespace cudnn_resnet
