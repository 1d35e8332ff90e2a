#include "binding/creation.h"

#include <algorithm>
#include <climits>
#include <memory>
#include <span>

#include "binding/device-handle.h"
#include "binding/environment.h"
#include "binding/operation-call.h"
#include "binding/tensor-handle.h"
#include "core/file-range.h"
#include "core/host-copy.h"
#include "core/host-memory.h"
#include "core/random.h"
#include "core/shape-inference.h"
#include "core/transfer.h"

namespace cudnn_resnet::creation {
namespace {

// A tensor and where it is, held whatever becomes of its handle.
struct Target {
  std::shared_ptr<Device> device;
  TensorPtr tensor;
};

// The options `device`, `shape` and `dtype` that all makers share.
Target target(const Options& options) {
  const auto device = DeviceHandle::from(options.get("device"), options.what("device")).device();
  const DType type = deviceDType(options.get("dtype"), options.what("dtype"));
  return {device, std::make_shared<Tensor>(shape(options.get("shape"), options.what("shape")), type)};
}

// The tensor that an option names: reading the others may dispose of it.
Target named(const Options& options, const char* name) {
  const TensorHandle& handle = TensorHandle::from(options.get(name), options.what(name));
  return {handle.device(), handle.tensor()};
}

Napi::Value submitted(Napi::Env env, const Target& made, std::function<void(Engine&)> write,
                      size_t hostBytes = 0) {
  made.device->backlog().requireRoom(hostBytes);
  const Napi::Object handle = TensorHandle::wrap(env, made.device, made.tensor);
  made.device->submit({{}, {made.tensor}, std::move(write), false, hostBytes});
  return handle;
}

// Writes elements of another dtype to y.
void uploadConverted(Engine& engine, const void* data, DType type, Tensor& y) {
  if (type == y.dtype) {
    engine.upload(data, y);
    return;
  }
  const HostBuffer converted(y.bytes());
  convertElements(data, type, converted.get(), y.dtype, static_cast<size_t>(y.size()));
  engine.upload(converted.get(), y);
}

// As uploadConverted, of elements in a file.
void uploadFile(Engine& engine, FileRange& file, DType type, Tensor& y) {
  if (type == y.dtype) {
    engine.uploadFrom([&](void* to, size_t offset, size_t bytes) { file.read(to, offset, bytes); }, y);
    file.check();
    return;
  }
  const size_t bytes = static_cast<size_t>(y.size()) * bytesPerElement(type);
  const HostBuffer elements(bytes);
  file.read(elements.get(), 0, bytes);
  file.check();
  uploadConverted(engine, elements.get(), type, y);
}

// Elements that JavaScript gave, copied: it may write to its array as soon as the call returns.
struct HostData {
  std::shared_ptr<const std::byte> elements;
  size_t bytes;
  DType dtype;

  [[nodiscard]] std::function<void(Engine&)> writerTo(const TensorPtr& y) const {
    return
        [data = *this, y](Engine& engine) { uploadConverted(engine, data.elements.get(), data.dtype, *y); };
  }
};

// The options `data` and `dataType`: as many elements as y has.
HostData copyOf(const Options& options, const Tensor& y) {
  const DType type = dtype(options.get("dataType"), options.what("dataType"));
  const Napi::Value value = options.get("data");
  if (!value.IsTypedArray()) {
    throw Error(ErrorCode::Argument, options.what("data") + " must be a typed array");
  }
  // Asked of Node-API itself, for it gives the elements of shared memory too. Those of a detached buffer are
  // none.
  size_t length = 0;
  const void* elements = nullptr;
  napi_get_typedarray_info(value.Env(), value, nullptr, &length, const_cast<void**>(&elements), nullptr,
                           nullptr);
  const size_t bytes = length * value.As<Napi::TypedArray>().ElementSize();
  const size_t count = bytes / bytesPerElement(type);
  if (bytes % bytesPerElement(type) != 0 || count != static_cast<size_t>(y.size())) {
    throw Error(ErrorCode::Shape, options.what("shape ") + text(y.shape) + " has " +
                                      std::to_string(y.size()) + " elements, the data has " +
                                      std::to_string(count));
  }
  return {hostCopy(elements, bytes), bytes, type};
}

}  // namespace

Napi::Value upload(const Napi::CallbackInfo& info) {
  const Options options(info[0], "Tensor.from");
  const Target made = target(options);
  const HostData data = copyOf(options, *made.tensor);
  return submitted(info.Env(), made, data.writerTo(made.tensor), data.bytes);
}

Napi::Value write(const Napi::CallbackInfo& info) {
  const Options options(info[0], "write");
  const Target to = named(options, "to");
  const HostData data = copyOf(options, *to.tensor);
  to.device->backlog().requireRoom(data.bytes);
  to.device->submit({{}, {to.tensor}, data.writerTo(to.tensor), false, data.bytes});
  return info.Env().Undefined();
}

Napi::Value fill(const Napi::CallbackInfo& info) {
  const Options options(info[0], "fill");
  const Target to = named(options, "to");
  const DType type = dtype(options.get("dataType"), options.what("dataType"));
  const int64_t descriptor = integer(options.get("descriptor"), options.what("descriptor"), 0);
  const auto file =
      std::make_shared<FileRange>(string(options.get("path"), options.what("path")),
                                  static_cast<int>(std::min<int64_t>(descriptor, INT_MAX)),
                                  integer(options.get("position"), options.what("position"), 0));
  to.device->backlog().requireRoom(0);
  return Environment::of(info.Env()).promise([&](const Environment::Settle& settle) {
    to.device->submit({{}, {to.tensor}, [file, type, y = to.tensor](Engine& engine) {
                         uploadFile(engine, *file, type, *y);
                       }});
    to.device->read(
        to.tensor, [](Engine&) { return Arrival(); }, Environment::settling(settle));
  });
}

Napi::Value zeros(const Napi::CallbackInfo& info) {
  const Target made = target(Options(info[0], "Tensor.zeros"));
  return submitted(info.Env(), made, [y = made.tensor](Engine& engine) { engine.zeros(*y); });
}

Napi::Value random(const Napi::CallbackInfo& info) {
  const Options options(info[0], "random");
  const Target made = target(options);
  const bool normal = options.boolean("normal", true);
  const double a = options.number("a", 0);
  const double b = options.number("b", 1);
  const auto natural = [&](const char* name) {
    return static_cast<uint64_t>(integer(options.get(name), options.what(name), 0));
  };
  const RandomSequence sequence{natural("seed"), natural("stream")};
  checkFloat("random", "dtype", made.tensor->dtype);
  return submitted(info.Env(), made, [=, y = made.tensor](Engine& engine) {
    const auto count = static_cast<size_t>(y->size());
    const HostBuffer buffer(count * sizeof(float));
    const std::span values(reinterpret_cast<float*>(buffer.get()), count);
    (normal ? fillNormal : fillUniform)(sequence, a, b, values);
    uploadConverted(engine, values.data(), DType::Float32, *y);
  });
}

Napi::Value unwritten(const Napi::CallbackInfo& info) {
  const Target made = target(Options(info[0], "unwritten"));
  return TensorHandle::wrap(info.Env(), made.device, made.tensor);
}

Napi::Value cast(const Napi::CallbackInfo& info) {
  OperationCall call(info, "to");
  const auto x = call.input("x");
  const DType type = deviceDType(call.get("dtype"), call.what("dtype"));
  return call.output(x->shape, type, [=](Engine& engine, Tensor& y) {
    x->dtype == y.dtype ? engine.reshape(*x, y) : engine.cast(*x, y);
  });
}

Napi::Value reshape(const Napi::CallbackInfo& info) {
  OperationCall call(info, "reshape");
  const auto x = call.input("x");
  const Shape wanted = shape(call.get("shape"), call.what("shape"), -1);
  return call.output(reshapedShape(wanted, x->size()), x->dtype,
                     [=](Engine& engine, Tensor& y) { engine.reshape(*x, y); });
}

// Gives an existing tensor the values of another, rounded to its dtype.
Napi::Value assign(const Napi::CallbackInfo& info) {
  OperationCall call(info, "assign");
  const auto from = call.input("from");
  const auto to = call.target("to");
  if (to->shape != from->shape) {
    throw Error(ErrorCode::Shape, "assign: shape " + text(from->shape) + " does not fit " + text(to->shape));
  }
  call.device()->backlog().requireRoom(0);
  call.submit({to}, [=](Engine& engine) {
    from->dtype == to->dtype ? engine.reshape(*from, *to) : engine.cast(*from, *to);
  });
  return info.Env().Undefined();
}

Napi::Value copyTo(const Napi::CallbackInfo& info) {
  const Options options(info[0], "to");
  const Target x = named(options, "x");
  const auto device = DeviceHandle::from(options.get("device"), options.what("device")).device();
  const auto y = std::make_shared<Tensor>(x.tensor->shape, x.tensor->dtype);
  transfer(*x.device, x.tensor, *device, y);
  return TensorHandle::wrap(info.Env(), device, y);
}

}  // namespace cudnn_resnet::creation
