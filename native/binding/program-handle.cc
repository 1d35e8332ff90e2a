#include "binding/program-handle.h"

#include <utility>
#include <vector>

#include "binding/device-handle.h"
#include "binding/environment.h"
#include "binding/guard.h"
#include "binding/options.h"
#include "binding/tensor-handle.h"
#include "binding/to-array.h"
#include "core/recording.h"
#include "core/shape-inference.h"

namespace cudnn_resnet {
namespace {

Napi::Array array(const Napi::Value& value, const std::string& what) {
  if (!value.IsArray()) {
    throw Error(ErrorCode::Argument, what + " must be an array");
  }
  return value.As<Napi::Array>();
}

// The tensors of an array of handles, all of one device.
std::vector<TensorPtr> tensors(const Napi::Value& value, const std::string& what,
                               const std::shared_ptr<Device>& device) {
  const Napi::Array handles = array(value, what);
  std::vector<TensorPtr> list;
  for (uint32_t i = 0; i < handles.Length(); ++i) {
    const std::string name = what + "[" + std::to_string(i) + "]";
    const TensorHandle& handle = TensorHandle::from(handles[i], name);
    if (handle.device() != device) {
      throw Error(ErrorCode::Device, name + " is on " + handle.device()->id() + ", but the program is on " +
                                         device->id() + "; move it with .to({device})");
    }
    list.push_back(handle.tensor());
  }
  return list;
}

}  // namespace

template <Napi::Value (ProgramHandle::*method)(const Napi::CallbackInfo&)>
Napi::Value ProgramHandle::guardedMethod(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return (this->*method)(info); });
}

Napi::Function ProgramHandle::defineClass(Napi::Env env) {
  return DefineClass(env, "NativeProgram",
                     {
                         InstanceMethod<&ProgramHandle::guardedMethod<&ProgramHandle::run>>("run"),
                         InstanceMethod<&ProgramHandle::guardedMethod<&ProgramHandle::dispose>>("dispose"),
                     });
}

Napi::Value ProgramHandle::record(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Options options(info[0], "record");
  const auto device = DeviceHandle::from(options.get("device"), options.what("device")).device();
  const Napi::Value body = options.get("body");
  if (!body.IsFunction()) {
    throw Error(ErrorCode::Argument, "record: the body must be a function");
  }

  const auto recording = std::make_shared<Recording>();
  Origin origin{device, nullptr};
  try {
    Napi::Array inputs = Napi::Array::New(env);
    const Napi::Array wanted = array(options.get("inputs"), options.what("inputs"));
    for (uint32_t i = 0; i < wanted.Length(); ++i) {
      const std::string what = options.what("inputs") + "[" + std::to_string(i) + "]";
      const Options input(wanted[i], what.c_str());
      const DType type = deviceDType(input.get("dtype"), input.what("dtype"));
      inputs.Set(i, TensorHandle::wrap(
                        env, device, recording->input(shape(input.get("shape"), input.what("shape")), type)));
    }
    const Napi::Value results = body.As<Napi::Function>().Call({inputs});
    origin.program = recording->end(tensors(results, "record: results", device));
  } catch (...) {
    device->release(recording->end({}));  // what it holds may be freed by the queue alone
    throw;
  }
  Environment& environment = Environment::of(env);
  return environment.make(environment.programClass, &origin);
}

ProgramHandle::ProgramHandle(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  auto* origin = static_cast<Origin*>(Environment::of(info.Env()).takeOrigin());
  if (origin == nullptr) {
    throw Napi::TypeError::New(info.Env(), "NativeProgram is made by record() only");
  }
  device_ = std::move(origin->device);
  program_ = std::move(origin->program);
}

void ProgramHandle::Finalize(Napi::BasicEnv /*env*/) { release(); }

void ProgramHandle::release() {
  if (program_ != nullptr) {
    device_->release(std::exchange(program_, nullptr));
  }
}

Napi::Value ProgramHandle::run(const Napi::CallbackInfo& info) {
  if (program_ == nullptr) {
    throw Error(ErrorCode::Disposed, "run: the program was disposed of");
  }
  const auto program = program_;
  auto arguments = tensors(info[0], "run: inputs", device_);
  if (arguments.size() != program->inputs().size()) {
    throw Error(ErrorCode::Argument, "run: the program takes " + std::to_string(program->inputs().size()) +
                                         " tensors, got " + std::to_string(arguments.size()));
  }
  for (size_t i = 0; i < arguments.size(); ++i) {
    const Tensor& wanted = *program->inputs()[i];
    const std::string name = "inputs[" + std::to_string(i) + "]";
    checkShape("run", name.c_str(), *arguments[i], wanted.shape);
    checkDType("run", name.c_str(), *arguments[i], wanted.dtype);
  }
  device_->backlog().requireRoom(0);
  std::vector<TensorPtr> results;
  for (const TensorPtr& output : program->outputs()) {
    results.push_back(std::make_shared<Tensor>(output->shape, output->dtype));
  }
  device_->run(program, std::move(arguments), results);
  return toArray(info.Env(), results,
                 [&](const TensorPtr& result) { return TensorHandle::wrap(info.Env(), device_, result); });
}

Napi::Value ProgramHandle::dispose(const Napi::CallbackInfo& info) {
  release();
  return info.Env().Undefined();
}

}  // namespace cudnn_resnet
