#include "binding/tensor-handle.h"

#include <algorithm>
#include <future>
#include <utility>

#include "binding/environment.h"
#include "binding/guard.h"
#include "binding/options.h"
#include "binding/to-array.h"
#include "core/shape-inference.h"

namespace cudnn_resnet {
namespace {

// Tells our handles from any other object, whatever its prototype says, and from those of another copy of
// this library.
const napi_type_tag tag{0x6b1f0d6c5a3e4f81, reinterpret_cast<uintptr_t>(&tag)};

// Of all rows, one behind the other: JavaScript makes an array of each in a fraction of the time.
Napi::Value toJavaScript(Napi::Env env, const TopK& best) {
  const size_t count = best.values.size();
  const Environment& environment = Environment::of(env);
  auto indices = Napi::Float64Array::New(env, count, environment.arrayBuffer(count * sizeof(double)), 0);
  auto values = Napi::Float32Array::New(env, count, environment.arrayBuffer(count * sizeof(float)), 0);
  std::ranges::copy(best.indices, indices.Data());
  std::ranges::copy(best.values, values.Data());
  Napi::Object result = Napi::Object::New(env);
  result.Set("indices", indices);
  result.Set("values", values);
  return result;
}

}  // namespace

template <Napi::Value (TensorHandle::*method)(const Napi::CallbackInfo&)>
Napi::Value TensorHandle::guardedMethod(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return (this->*method)(info); });
}

Napi::Function TensorHandle::defineClass(Napi::Env env) {
  return DefineClass(env, "NativeTensor",
                     {
                         InstanceMethod<&TensorHandle::guardedMethod<&TensorHandle::data>>("data"),
                         InstanceMethod<&TensorHandle::guardedMethod<&TensorHandle::dataSync>>("dataSync"),
                         InstanceMethod<&TensorHandle::guardedMethod<&TensorHandle::topK>>("topK"),
                         InstanceMethod<&TensorHandle::guardedMethod<&TensorHandle::cancel>>("cancel"),
                         InstanceMethod<&TensorHandle::guardedMethod<&TensorHandle::dispose>>("dispose"),
                         InstanceMethod<&TensorHandle::guardedMethod<&TensorHandle::disposed>>("disposed"),
                         InstanceMethod<&TensorHandle::guardedMethod<&TensorHandle::failed>>("failed"),
                     });
}

Napi::Object TensorHandle::wrap(Napi::Env env, std::shared_ptr<Device> device, TensorPtr tensor) {
  Origin origin{std::move(device), std::move(tensor)};
  Environment& environment = Environment::of(env);
  Napi::Object object;
  try {
    object = environment.make(environment.tensorClass, &origin);
  } catch (...) {  // the worker is being terminated, or the stack is at its end
    if (origin.tensor) {
      environment.release(std::move(origin.device), std::move(origin.tensor));
    }
    throw;
  }
  object.TypeTag(&tag);
  object.Set("shape", toArray(env, Unwrap(object)->tensor_->shape));
  return object;
}

TensorHandle::TensorHandle(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  auto* origin = static_cast<Origin*>(Environment::of(info.Env()).takeOrigin());
  if (origin == nullptr) {
    throw Napi::TypeError::New(info.Env(), "NativeTensor is made by the addon only");
  }
  device_ = std::move(origin->device);
  tensor_ = std::move(origin->tensor);
  if (!tensor_->recording) {
    ++device_->held.tensors;
    device_->held.bytes += tensor_->bytes();
    Napi::MemoryManagement::AdjustExternalMemory(info.Env(), static_cast<int64_t>(tensor_->bytes()));
  }
}

void TensorHandle::Finalize(Napi::BasicEnv env) { release(env); }

void TensorHandle::release(Napi::BasicEnv env) {
  if (tensor_ == nullptr) {
    return;
  }
  if (!tensor_->recording) {
    --device_->held.tensors;
    device_->held.bytes -= tensor_->bytes();
    Napi::MemoryManagement::AdjustExternalMemory(env, -static_cast<int64_t>(tensor_->bytes()));
  }
  released_ = tensor_;
  env.GetInstanceData<Environment>()->release(device_, std::exchange(tensor_, nullptr));
}

TensorHandle& TensorHandle::from(const Napi::Value& value, const std::string& what) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&tag)) {
    throw Error(ErrorCode::Argument, what + " must be a Tensor");
  }
  TensorHandle& handle = *Unwrap(value.As<Napi::Object>());
  if (handle.tensor_ == nullptr) {
    throw Error(ErrorCode::Disposed, what + " was disposed of");
  }
  return handle;
}

const TensorPtr& TensorHandle::live(const char* method) const {
  if (tensor_ == nullptr) {
    throw Error(ErrorCode::Disposed, std::string(method) + ": the tensor was disposed of");
  }
  return tensor_;
}

Napi::Value TensorHandle::data(const Napi::CallbackInfo& info) {
  const TensorPtr tensor = live("data");
  Napi::ArrayBuffer buffer = Environment::of(info.Env()).arrayBuffer(tensor->bytes());
  void* target = buffer.Data();
  return Environment::of(info.Env())
      .promise(
          [&](const Environment::Settle& settle) {
            device_->read(
                tensor, [tensor, target](Engine& engine) { return engine.fetch(*tensor, target); },
                Environment::settling(
                    settle,
                    [](Napi::Env, Environment::Promised& promised) { return promised.buffer.Value(); }),
                tensor->bytes());
          },
          buffer);
}

Napi::Value TensorHandle::dataSync(const Napi::CallbackInfo& info) {
  const TensorPtr tensor = live("dataSync");
  Napi::ArrayBuffer buffer = Environment::of(info.Env()).arrayBuffer(tensor->bytes());
  void* target = buffer.Data();
  std::promise<Outcome> outcome;
  device_->read(
      tensor, [tensor, target](Engine& engine) { return engine.fetch(*tensor, target); },
      [&outcome](Outcome error) { outcome.set_value(std::move(error)); }, tensor->bytes());
  if (const auto error = Environment::of(info.Env()).await(outcome.get_future())) {
    throw Error(*error);
  }
  return buffer;
}

Napi::Value TensorHandle::topK(const Napi::CallbackInfo& info) {
  const TensorPtr tensor = live("topK");
  const int64_t k = integer(info[0], "topK: k", 1);
  checkTopK(*tensor, k);
  return Environment::of(info.Env()).promise([&](const Environment::Settle& settle) {
    const auto best = std::make_shared<TopK>();
    device_->read(
        tensor, [tensor, k, best](Engine& engine) { return engine.topK(*tensor, k, *best); },
        Environment::settling(
            settle, [best](Napi::Env env, Environment::Promised&) { return toJavaScript(env, *best); }));
  });
}

Napi::Value TensorHandle::cancel(const Napi::CallbackInfo& info) {
  if (tensor_ != nullptr) {
    device_->cancel(tensor_);
  } else if (TensorPtr released = released_.lock()) {  // its readings go on
    device_->cancel(released);
    device_->release(std::move(released));  // nothing else may hold it by now
  }
  return info.Env().Undefined();
}

Napi::Value TensorHandle::dispose(const Napi::CallbackInfo& info) {
  release(info.Env());
  return info.Env().Undefined();
}

Napi::Value TensorHandle::failed(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), tensor_ && tensor_->failed);
}

Napi::Value TensorHandle::disposed(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), tensor_ == nullptr);
}

}  // namespace cudnn_resnet
