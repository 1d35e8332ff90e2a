#include "binding/machine.h"

#include "absent-engines.h"
#include "binding/environment.h"
#include "binding/options.h"

namespace cudnn_resnet {

Napi::Value findDevices(const Napi::CallbackInfo& info) {
  return Environment::of(info.Env()).inBackground([] {
    (void)backends();
    return Environment::undefined;
  });
}

Napi::Value listDevices(const Napi::CallbackInfo& info) {
  Napi::Array list = Napi::Array::New(info.Env());
  for (const Backend& backend : backends()) {
    for (const DeviceDescription& description : backend.devices) {
      Napi::Object entry = Napi::Object::New(info.Env());
      entry.Set("id", description.id);
      entry.Set("name", description.name);
      entry.Set("engine", description.engine);
      entry.Set("memory", static_cast<double>(description.memory));
      list.Set(list.Length(), entry);
    }
  }
  return list;
}

Napi::Value diagnose(const Napi::CallbackInfo& info) {
  std::string report;
  for (const Backend& backend : backends()) {
    report += backend.report();
  }
  return Napi::String::New(info.Env(), report + absentEngines);
}

Napi::Value deviceProperties(const Napi::CallbackInfo& info) {
  const std::string id = string(info[0], "deviceProperties: id");
  for (const Backend& backend : backends()) {
    for (const DeviceDescription& description : backend.devices) {
      if (description.id == id && description.properties) {
        return Napi::String::New(info.Env(), description.properties());
      }
    }
  }
  throw Error(ErrorCode::Device,
              "'" + id + "' is no GPU that can be used here; diagnose() says what is missing");
}

}  // namespace cudnn_resnet
