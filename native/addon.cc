// What the addon exports: the same names as binding.d.ts.
#include <array>

#include "binding/creation.h"
#include "binding/device-handle.h"
#include "binding/environment.h"
#include "binding/guard.h"
#include "binding/machine.h"
#include "binding/operations.h"
#include "binding/planner.h"
#include "binding/program-handle.h"
#include "binding/resample.h"
#include "binding/setup.h"
#include "binding/tensor-handle.h"

namespace {

using namespace cudnn_resnet;

struct Export {
  const char* name;
  Napi::Value (*function)(const Napi::CallbackInfo&);
};

constexpr auto table = std::to_array<Export>({
    {"setup", guardedFunction<setup>},
    {"holdQueues", guardedFunction<holdQueues>},
    {"findDevices", guardedFunction<findDevices>},
    {"devices", guardedFunction<listDevices>},
    {"diagnose", guardedFunction<diagnose>},
    {"deviceProperties", guardedFunction<deviceProperties>},
    {"openPlanner", guardedFunction<openPlanner>},
    {"openDevice", guardedFunction<DeviceHandle::open>},
    {"record", guardedFunction<ProgramHandle::record>},
    {"upload", guardedFunction<creation::upload>},
    {"write", guardedFunction<creation::write>},
    {"fill", guardedFunction<creation::fill>},
    {"zeros", guardedFunction<creation::zeros>},
    {"random", guardedFunction<creation::random>},
    {"unwritten", guardedFunction<creation::unwritten>},
    {"cast", guardedFunction<creation::cast>},
    {"reshape", guardedFunction<creation::reshape>},
    {"assign", guardedFunction<creation::assign>},
    {"copyTo", guardedFunction<creation::copyTo>},
    {"conv2d", guardedFunction<operations::conv2d>},
    {"linear", guardedFunction<operations::linear>},
    {"batchNorm", guardedFunction<operations::batchNorm>},
    {"batchNormTraining", guardedFunction<operations::batchNormTraining>},
    {"foldBatchNorm", guardedFunction<operations::foldBatchNorm>},
    {"activation", guardedFunction<operations::activation>},
    {"add", guardedFunction<operations::add>},
    {"maxPool2d", guardedFunction<operations::maxPool2d>},
    {"avgPool2d", guardedFunction<operations::avgPool2d>},
    {"globalAvgPool", guardedFunction<operations::globalAvgPool>},
    {"softmax", guardedFunction<operations::softmax>},
    {"normalizeImage", guardedFunction<operations::normalizeImage>},
    {"resample", guardedFunction<resample>},
});

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  Environment::create(env);
  Environment& environment = Environment::of(env);
  environment.tensorClass = Napi::Persistent(TensorHandle::defineClass(env));
  environment.deviceClass = Napi::Persistent(DeviceHandle::defineClass(env));
  environment.programClass = Napi::Persistent(ProgramHandle::defineClass(env));
  for (const Export& entry : table) {
    exports.Set(entry.name, Napi::Function::New(env, entry.function, entry.name));
  }
  return exports;
}

}  // namespace

NODE_API_MODULE(cudnn_resnet, initialize)
