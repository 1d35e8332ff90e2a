#include "binding/setup.h"

#include "binding/environment.h"
#include "binding/options.h"

namespace cudnn_resnet {

Napi::Value setup(const Napi::CallbackInfo& info) {
  if (!info[0].IsFunction()) {
    throw Error(ErrorCode::Argument, "setup: the class of errors must be a function");
  }
  Environment::of(info.Env()).errorClass = Napi::Persistent(info[0].As<Napi::Function>());
  return info.Env().Undefined();
}

Napi::Value holdQueues(const Napi::CallbackInfo& info) {
  const Options options(info[0], "holdQueues");
  Environment::of(info.Env()).holdQueues(options.boolean("held", false));
  return info.Env().Undefined();
}

}  // namespace cudnn_resnet
