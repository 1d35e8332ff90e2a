#include "binding/environment.h"

#include <utility>

namespace cudnn_resnet {

void Environment::create(Napi::Env env) { env.SetInstanceData(new Environment(env)); }

Environment::Environment(Napi::Env env) : env_(env) {
  completions_ = Completions::New(env, "cudnn-resnet", 0, 1, this);
  arrayBufferClass_ = Napi::Persistent(env.Global().Get("ArrayBuffer").As<Napi::Function>());
  completions_.Unref(env);  // only a promise under way keeps the process alive
  // Hooks run in reverse order: ours comes before the one by which Node closes `completions_`.
  env.AddCleanupHook([](Environment* self) { self->close(); }, this);
}

void Environment::close() {
  for (const auto& [id, device] : devices_) {
    device->close();
  }
  promised_.clear();
  for (Napi::FunctionReference* reference :
       {&tensorClass, &deviceClass, &programClass, &errorClass, &arrayBufferClass_}) {
    reference->Reset();
  }
}

std::shared_ptr<Device> Environment::device(const std::string& id) {
  if (const auto found = devices_.find(id); found != devices_.end()) {
    return found->second;
  }
  std::string known;
  for (const Backend& backend : backends()) {
    for (const DeviceDescription& description : backend.devices) {
      if (description.id == id) {
        return devices_.emplace(id, std::make_shared<Device>(description)).first->second;
      }
      known += (known.empty() ? "" : ", ") + description.id;
    }
  }
  throw Error(ErrorCode::Device, "there is no device '" + id + "'; this machine has " +
                                     (known.empty() ? "none" : known) + " (diagnose() says what is missing)");
}

std::shared_ptr<Device> Environment::open(const DeviceDescription& description) {
  const std::string name =
      description.id + " " + std::to_string(devices_.size());  // an id that is no device's
  return devices_.emplace(name, std::make_shared<Device>(description)).first->second;
}

Napi::Error Environment::toJavaScript(const Error& error) const {
  const Napi::Value code = Napi::String::New(env_, name(error.code()));
  const Napi::Value message = Napi::String::New(env_, error.what());
  if (!errorClass.IsEmpty()) {
    return {env_, errorClass.New({code, message})};
  }
  Napi::Error plain = Napi::Error::New(env_, error.what());
  plain.Set("code", code);
  return plain;
}

Napi::ArrayBuffer Environment::arrayBuffer(size_t bytes) const {
  try {
    // JavaScript's constructor throws where Node-API's function ends the process.
    return arrayBufferClass_.New({Napi::Number::New(env_, static_cast<double>(bytes))})
        .As<Napi::ArrayBuffer>();
  } catch (const Napi::Error&) {
    throw Error(ErrorCode::OutOfMemory, "no memory on the host for " + std::to_string(bytes) + " bytes");
  }
}

Napi::Promise Environment::promise(const std::function<void(std::function<void(Finish)>)>& start,
                                   Napi::ArrayBuffer buffer) {
  if (promised_.empty()) {
    completions_.Ref(env_);
  }
  const auto deferred = Napi::Promise::Deferred::New(env_);
  const auto promised = promised_.insert(
      promised_.end(),
      {deferred, buffer.IsEmpty() ? Napi::Reference<Napi::ArrayBuffer>() : Napi::Persistent(buffer)});
  start([completions = completions_, promised](Finish finish) {
    auto completion = std::make_unique<Completion>(Completion{promised, std::move(finish)});
    if (completions.NonBlockingCall(completion.get()) == napi_ok) {
      (void)completion.release();  // complete() owns it now
    }
  });
  return deferred.Promise();
}

void Environment::complete(Napi::Env env, Napi::Function /*unused*/, Environment* self,
                           Completion* completion) {
  const std::unique_ptr<Completion> owned(completion);
  if (static_cast<napi_env>(env) == nullptr) {
    return;  // the environment is going down, and close() has dropped the promise
  }
  const Napi::HandleScope scope(env);
  try {
    owned->finish(env, *owned->promised);
  } catch (const Napi::Error& error) {
    owned->promised->deferred.Reject(error.Value());
  }
  self->promised_.erase(owned->promised);
  if (self->promised_.empty()) {
    self->completions_.Unref(env);
  }
}

}  // namespace cudnn_resnet
