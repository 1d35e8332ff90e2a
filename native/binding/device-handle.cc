#include "binding/device-handle.h"

#include <utility>

#include "binding/environment.h"
#include "binding/guard.h"
#include "binding/options.h"
#include "binding/to-array.h"

namespace cudnn_resnet {
namespace {

const napi_type_tag tag{0x2f0c9e7d41b84a53, reinterpret_cast<uintptr_t>(&tag)};  // as TensorHandle's

Napi::Value toJavaScript(Napi::Env env, const std::vector<Timing>& timings) {
  const auto shape = [env](const Shape& extents) { return toArray(env, extents); };
  return toArray(env, timings, [&](const Timing& timing) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("layer", timing.layer);
    object.Set("operation", timing.operation);
    object.Set("inputs", toArray(env, timing.inputs, shape));
    object.Set("outputs", toArray(env, timing.outputs, shape));
    object.Set("begin", timing.begin);
    object.Set("end", timing.end);
    return object;
  });
}

}  // namespace

template <Napi::Value (DeviceHandle::*method)(const Napi::CallbackInfo&)>
Napi::Value DeviceHandle::guardedMethod(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return (this->*method)(info); });
}

Napi::Function DeviceHandle::defineClass(Napi::Env env) {
  return DefineClass(
      env, "NativeDevice",
      {
          InstanceMethod<&DeviceHandle::guardedMethod<&DeviceHandle::memory>>("memory"),
          InstanceMethod<&DeviceHandle::guardedMethod<&DeviceHandle::synchronize>>("synchronize"),
          InstanceMethod<&DeviceHandle::guardedMethod<&DeviceHandle::trim>>("trim"),
          InstanceMethod<&DeviceHandle::guardedMethod<&DeviceHandle::setMemoryLimit>>("setMemoryLimit"),
          InstanceMethod<&DeviceHandle::guardedMethod<&DeviceHandle::usePlans>>("usePlans"),
          InstanceMethod<&DeviceHandle::guardedMethod<&DeviceHandle::setThreads>>("setThreads"),
          InstanceMethod<&DeviceHandle::guardedMethod<&DeviceHandle::startProfile>>("startProfile"),
          InstanceMethod<&DeviceHandle::guardedMethod<&DeviceHandle::profileLayer>>("profileLayer"),
          InstanceMethod<&DeviceHandle::guardedMethod<&DeviceHandle::endProfile>>("endProfile"),
          InstanceMethod<&DeviceHandle::guardedMethod<&DeviceHandle::pending>>("pending"),
          InstanceMethod<&DeviceHandle::guardedMethod<&DeviceHandle::ready>>("ready"),
          InstanceMethod<&DeviceHandle::guardedMethod<&DeviceHandle::setQueueLimit>>("setQueueLimit"),
      });
}

Napi::Value DeviceHandle::open(const Napi::CallbackInfo& info) {
  return wrap(info.Env(), Environment::of(info.Env()).device(string(info[0], "openDevice: id")));
}

Napi::Object DeviceHandle::wrap(Napi::Env env, std::shared_ptr<Device> device) {
  Environment& environment = Environment::of(env);
  const Napi::Object object = environment.make(environment.deviceClass, &device);
  object.TypeTag(&tag);
  return object;
}

DeviceHandle::DeviceHandle(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  auto* device = static_cast<std::shared_ptr<Device>*>(Environment::of(info.Env()).takeOrigin());
  if (device == nullptr) {
    throw Napi::TypeError::New(info.Env(), "NativeDevice is made by openDevice() only");
  }
  device_ = *device;
}

DeviceHandle& DeviceHandle::from(const Napi::Value& value, const std::string& what) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&tag)) {
    throw Error(ErrorCode::Argument, what + " must be a Device");
  }
  return *Unwrap(value.As<Napi::Object>());
}

Napi::Value DeviceHandle::memory(const Napi::CallbackInfo& info) {
  Napi::Object use = Napi::Object::New(info.Env());
  use.Set("tensors", static_cast<double>(device_->held.tensors));
  use.Set("bytes", static_cast<double>(device_->held.bytes));
  use.Set("peakBytes", static_cast<double>(device_->memory().peak));
  use.Set("reservedBytes", static_cast<double>(device_->memory().reserved));
  return use;
}

Napi::Value DeviceHandle::synchronize(const Napi::CallbackInfo& info) {
  return Environment::of(info.Env()).promise([&](const Environment::Settle& settle) {
    device_->call([](Engine& engine) { engine.synchronize(); }, Environment::settling(settle));
  });
}

Napi::Value DeviceHandle::trim(const Napi::CallbackInfo& info) {
  device_->trim();
  return info.Env().Undefined();
}

Napi::Value DeviceHandle::startProfile(const Napi::CallbackInfo& info) {
  device_->profiler = std::make_shared<Profiler>();
  return info.Env().Undefined();
}

Napi::Value DeviceHandle::profileLayer(const Napi::CallbackInfo& info) {
  if (device_->profiler) {
    device_->profiler->layer = string(info[0], "profileLayer: name");
  }
  return info.Env().Undefined();
}

Napi::Value DeviceHandle::pending(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(device_->backlog().pending().operations));
}

Napi::Value DeviceHandle::ready(const Napi::CallbackInfo& info) {
  if (device_->backlog().halfEmpty()) {
    return info.Env().Undefined();
  }
  return Environment::of(info.Env()).promise([&](const Environment::Settle& settle) {
    device_->backlog().whenHalfEmpty([settle] { settle(Environment::undefined); });
  });
}

Napi::Value DeviceHandle::setQueueLimit(const Napi::CallbackInfo& info) {
  const Options options(info[0], "setQueueLimit");
  Backlog::Amount limit = device_->backlog().limit();
  const auto read = [&](const char* name, size_t& to) {
    const Napi::Value value = options.get(name);
    to = isAbsent(value) ? to : static_cast<size_t>(integer(value, options.what(name), 1));
  };
  read("operations", limit.operations);
  read("bytes", limit.bytes);
  device_->backlog().setLimit(limit);
  return info.Env().Undefined();
}

Napi::Value DeviceHandle::endProfile(const Napi::CallbackInfo& info) {
  const auto profiler = std::exchange(device_->profiler, nullptr);
  return Environment::of(info.Env()).promise([&](const Environment::Settle& settle) {
    device_->call([](Engine& engine) { engine.synchronize(); },
                  Environment::settling(settle, [profiler](Napi::Env env, Environment::Promised&) {
                    return toJavaScript(env, profiler ? profiler->timings : std::vector<Timing>{});
                  }));
  });
}

Napi::Value DeviceHandle::setMemoryLimit(const Napi::CallbackInfo& info) {
  device_->memory().limit = static_cast<size_t>(integer(info[0], "setMemoryLimit: bytes", 0));
  return info.Env().Undefined();
}

Napi::Value DeviceHandle::setThreads(const Napi::CallbackInfo& info) {
  constexpr int64_t most = 4096;
  const int64_t threads = integer(info[0], "setThreads: threads", 1);
  if (threads > most) {
    throw Error(ErrorCode::Argument, "setThreads: threads must be at most " + std::to_string(most) +
                                         ", got " + std::to_string(threads));
  }
  device_->setThreads(static_cast<int>(threads));
  return info.Env().Undefined();
}

Napi::Value DeviceHandle::usePlans(const Napi::CallbackInfo& info) {
  device_->call([folder = string(info[0], "usePlans: folder")](Engine& engine) { engine.usePlans(folder); },
                [](const Outcome&) {});  // a lost device says so at the next operation
  return info.Env().Undefined();
}

}  // namespace cudnn_resnet
