#include "binding/environment.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "core/exchanged.h"

namespace cudnn_resnet {

void Environment::create(Napi::Env env) { env.SetInstanceData(new Environment(env)); }

Environment::Environment(Napi::Env env) : env_(env) {
  completions_ = Completions::New(env, "cudnn-resnet", 0, 1, this);
  arrayBufferClass_ = Napi::Persistent(env.Global().Get("ArrayBuffer").As<Napi::Function>());
  promiseClass_ = Napi::Persistent(env.Global().Get("Promise").As<Napi::Function>());
  takeSettlers_ = Napi::Persistent(Napi::Function::New<takeSettlers>(env));
  completions_.Unref(env);  // only a promise under way keeps the process alive
  // Hooks run in reverse order: ours comes before the one by which Node closes `completions_`.
  env.AddCleanupHook([](Environment* self) { self->close(); }, this);
}

namespace {

// Longer than an operation takes; but cuDNN may have a whole network to compile, and a queue may also wait
// for another that is held.
constexpr std::chrono::seconds holdPatience{2};

// A library's destructors must not run beside a thread that uses it: where one would not be waited for, the
// process ends without them, with the status that it has.
void skipDestructorsAtExit() {
#ifdef __GLIBC__
  static const int registered = on_exit(
      [](int status, void* /*unused*/) {
        std::fflush(nullptr);
        _exit(status);
      },
      nullptr);
  (void)registered;
#endif
}

}  // namespace

void Environment::holdQueues(bool held) {
  held_ = held;
  const auto each = [this](const auto& work) {
    for (const auto& [id, device] : devices_) {
      work(*device);
    }
    work(background_);
  };
  each([held](auto& queue) { held ? queue.hold() : queue.resume(); });
  if (held) {
    const auto end = std::chrono::steady_clock::now() + holdPatience;
    each([end](auto& queue) {
      if (!queue.waitUntilIdle(end)) {
        skipDestructorsAtExit();
      }
    });
  }
}

void Environment::close() {
  for (const auto& [id, device] : devices_) {
    device->beginClose();
  }
  for (const auto& [id, device] : devices_) {
    device->close();
  }
  background_.stop();
  promised_.clear();
  for (Napi::FunctionReference* reference : {&tensorClass, &deviceClass, &programClass, &errorClass,
                                             &arrayBufferClass_, &promiseClass_, &takeSettlers_}) {
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
        return add(id, description);
      }
      known += (known.empty() ? "" : ", ") + description.id;
    }
  }
  throw Error(ErrorCode::Device, "there is no device '" + id + "'; this machine has " +
                                     (known.empty() ? "none" : known) + " (diagnose() says what is missing)");
}

// Not abandoned before the calls under way have ended: one of them may be about to ask for its values.
void Environment::release(std::shared_ptr<Device> device, TensorPtr tensor) {
  if (calls_ > 0) {
    released_.push_back({std::move(device), std::move(tensor)});
  } else {
    device->release(std::move(tensor));
  }
}

Environment::Call::~Call() {
  if (--environment_.calls_ == 0) {
    for (auto& [device, tensor] : std::exchange(environment_.released_, {})) {
      device->release(std::move(tensor));
    }
  }
}

std::shared_ptr<Device> Environment::open(const DeviceDescription& description) {
  const std::string name =
      description.id + " " + std::to_string(devices_.size());  // an id that is no device's
  return add(name, description);
}

std::shared_ptr<Device> Environment::add(const std::string& key, const DeviceDescription& description) {
  auto device = devices_.emplace(key, std::make_shared<Device>(description)).first->second;
  if (held_) {
    holdQueues(true);
  }
  return device;
}

Napi::Object Environment::make(const Napi::FunctionReference& handleClass, void* origin) {
  const Exchanged making(origin_, origin);
  return handleClass.New({});
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

// What JavaScript's constructor of promises calls with the two functions that settle the new one.
Napi::Value Environment::takeSettlers(const Napi::CallbackInfo& info) {
  Promised& starting = of(info.Env()).starting_;
  starting.resolve = Napi::Persistent(info[0].As<Napi::Function>());
  starting.reject = Napi::Persistent(info[1].As<Napi::Function>());
  return info.Env().Undefined();
}

// With JavaScript's own constructor: a promise of Node-API's that is not settled when a worker is terminated
// can not be freed.
Napi::Promise Environment::promise(const std::function<void(const Settle&)>& start,
                                   Napi::ArrayBuffer buffer) {
  const Napi::Object promise = promiseClass_.New({takeSettlers_.Value()});
  if (!buffer.IsEmpty()) {
    starting_.buffer = Napi::Persistent(buffer);
  }
  if (promised_.empty()) {
    completions_.Ref(env_);
  }
  const auto promised = promised_.insert(promised_.end(), std::move(starting_));
  try {
    start([completions = completions_, promised](Finish finish) {
      auto completion = std::make_unique<Completion>(Completion{promised, std::move(finish)});
      if (completions.NonBlockingCall(completion.get()) == napi_ok) {
        (void)completion.release();  // complete() owns it now
      }
    });
  } catch (...) {
    end(promised);
    throw;
  }
  return promise.As<Napi::Promise>();
}

Napi::Promise Environment::inBackground(std::function<Finish()> work, Napi::ArrayBuffer buffer) {
  return promise(
      [&](const Settle& settle) {
        background_.post([settle, work = std::move(work)] {
          Finish finish;
          try {
            finish = work();
          } catch (...) {
            finish = [error = currentError()](Napi::Env, Promised&) -> Napi::Value { throw Error(error); };
          }
          settle(std::move(finish));
        });
      },
      buffer);
}

Device::Done Environment::settling(Settle settle, Finish finish) {
  return [settle = std::move(settle), finish = std::move(finish)](const Outcome& error) {
    settle([error, finish](Napi::Env env, Promised& promised) {
      if (error) {
        throw Error(*error);
      }
      return finish(env, promised);
    });
  };
}

Napi::Value Environment::undefined(Napi::Env env, Promised& /*promised*/) { return env.Undefined(); }

void Environment::complete(Napi::Env env, Napi::Function /*unused*/, Environment* self,
                           Completion* completion) {
  const std::unique_ptr<Completion> owned(completion);
  if (static_cast<napi_env>(env) == nullptr) {
    return;  // the environment is going down, and close() has dropped the promise
  }
  const Napi::HandleScope scope(env);
  try {
    owned->promised->resolve.Call({owned->finish(env, *owned->promised)});
  } catch (const Napi::Error& error) {
    owned->promised->reject.Call({error.Value()});
  } catch (...) {
    owned->promised->reject.Call({self->toJavaScript(currentError()).Value()});
  }
  self->end(owned->promised);
}

void Environment::end(std::list<Promised>::iterator promised) {
  promised_.erase(promised);
  if (promised_.empty()) {
    completions_.Unref(env_);
  }
}

}  // namespace cudnn_resnet
