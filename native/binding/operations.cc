#include "binding/operations.h"

#include "binding/operation-call.h"
#include "binding/tensor-handle.h"
#include "core/fold.h"
#include "core/shape-inference.h"

namespace cudnn_resnet::operations {
namespace {

// The statistics and parameters of a batch norm, held until the queue has used them.
struct BatchNormTensors {
  TensorPtr mean, variance, weight, bias;
  double epsilon;

  [[nodiscard]] BatchNormInputs inputs() const {
    return {*mean, *variance, weight.get(), bias.get(), epsilon};
  }
};

double epsilon(const Options& options) {
  const double value = options.number("eps", 1e-5);
  if (value < 0) {
    throw Error(ErrorCode::Argument,
                options.what("eps") + " must not be negative, got " + std::to_string(value));
  }
  return value;
}

ConvAlgorithm algorithm(const Options& options) {
  const Napi::Value value = options.get("algorithm");
  const std::string name = isAbsent(value) ? "direct" : string(value, options.what("algorithm"));
  if (name != "direct" && name != "fast") {
    throw Error(ErrorCode::Argument,
                options.what("algorithm") + " must be 'direct' or 'fast', got '" + name + "'");
  }
  return name == "fast" ? ConvAlgorithm::Fast : ConvAlgorithm::Direct;
}

// What operations that multiply matrices take.
ComputeOptions computeOptions(const Options& options) {
  return {options.boolean("tf32", false), options.boolean("tune", false),
          options.boolean("deterministic", false)};
}

Napi::Value pool(OperationCall& call, PoolKind kind) {
  const auto x = call.input("x");
  Pool2dAttributes a;
  a.kind = kind;
  a.kernel = call.pair("kernelSize", 1, {1, 1});
  a.stride = call.pair("stride", 1, a.kernel);
  a.padding = call.pair("padding", 0, {0, 0});
  return call.output(pool2dShape(a, *x), x->dtype,
                     [=](Engine& engine, Tensor& y) { engine.pool2d(a, *x, y); });
}

}  // namespace

Napi::Value conv2d(const Napi::CallbackInfo& info) {
  OperationCall call(info, "conv2d");
  const auto x = call.input("x");
  const auto weight = call.input("weight");
  const auto bias = call.optionalInput("bias");
  const auto add = call.optionalInput("add");
  Conv2dAttributes a;
  a.stride = call.pair("stride", 1, {1, 1});
  a.padding = call.pair("padding", 0, {0, 0});
  a.dilation = call.pair("dilation", 1, {1, 1});
  a.groups = call.integer("groups", 1, 1);
  a.activation = call.activation("activation");
  a.algorithm = algorithm(call);
  a.compute = computeOptions(call);
  if (a.compute.deterministic) {
    a.algorithm = ConvAlgorithm::Direct;  // how the fast ones round depends on the number of threads
  }
  return call.output(
      conv2dShape(a, *x, *weight, bias.get(), add.get()), x->dtype,
      [=](Engine& engine, Tensor& y) { engine.conv2d(a, *x, *weight, bias.get(), add.get(), y); });
}

Napi::Value linear(const Napi::CallbackInfo& info) {
  OperationCall call(info, "linear");
  const auto x = call.input("x");
  const auto weight = call.input("weight");
  const auto bias = call.optionalInput("bias");
  const LinearAttributes a{call.activation("activation"), computeOptions(call)};
  return call.output(linearShape(*x, *weight, bias.get()), x->dtype,
                     [=](Engine& engine, Tensor& y) { engine.linear(a, *x, *weight, bias.get(), y); });
}

Napi::Value batchNorm(const Napi::CallbackInfo& info) {
  OperationCall call(info, "batchNorm");
  const auto x = call.input("x");
  const BatchNormTensors tensors{call.input("mean"), call.input("variance"), call.optionalInput("weight"),
                                 call.optionalInput("bias"), epsilon(call)};
  const Activation activation = call.activation("activation");
  checkBatchNorm(*x, *tensors.mean, *tensors.variance, tensors.weight.get(), tensors.bias.get());
  return call.output(x->shape, x->dtype, [=](Engine& engine, Tensor& y) {
    engine.batchNorm(tensors.inputs(), activation, *x, y);
  });
}

Napi::Value batchNormTraining(const Napi::CallbackInfo& info) {
  OperationCall call(info, "batchNormTraining");
  const auto x = call.input("x");
  const BatchNormTensors tensors{call.input("runningMean"), call.input("runningVariance"),
                                 call.optionalInput("weight"), call.optionalInput("bias"), epsilon(call)};
  const TensorPtr batches = call.optionalInput("batchesTracked");
  const double momentum = call.number("momentum", 0.1);
  checkBatchNormTraining(*x, *tensors.mean, *tensors.variance, tensors.weight.get(), tensors.bias.get());
  if (batches && (batches->dtype != DType::Int64 || batches->size() != 1)) {
    throw Error(batches->size() != 1 ? ErrorCode::Shape : ErrorCode::DType,
                call.what("batchesTracked") + " must be one int64");
  }
  return call.output(
      x->shape, x->dtype,
      [=](Engine& engine, Tensor& y) {
        engine.batchNormTraining(tensors.inputs(), momentum, batches.get(), *x, y);
      },
      false);
}

Napi::Value foldBatchNorm(const Napi::CallbackInfo& info) {
  OperationCall call(info, "foldBatchNorm");
  const auto weight = call.input("weight");
  const auto bias = call.optionalInput("bias");
  const BatchNormTensors tensors{call.input("mean"), call.input("variance"),
                                 call.optionalInput("batchNormWeight"), call.optionalInput("batchNormBias"),
                                 epsilon(call)};
  checkFoldBatchNorm(*weight, bias.get(), *tensors.mean, *tensors.variance, tensors.weight.get(),
                     tensors.bias.get());

  const auto foldedWeight = call.target("foldedWeight");
  const auto foldedBias = call.target("foldedBias");
  checkFolded(*weight, *foldedWeight, *foldedBias);

  call.device()->backlog().requireRoom(0);
  call.submit({foldedWeight, foldedBias}, [=](Engine& engine) {
    cudnn_resnet::foldBatchNorm(engine, tensors.inputs(), *weight, bias.get(), *foldedWeight, *foldedBias);
  });
  return info.Env().Undefined();
}

Napi::Value activation(const Napi::CallbackInfo& info) {
  OperationCall call(info, "activation");
  const auto x = call.input("x");
  const Activation kind = call.activation("kind");
  checkFloat("activation", "x", x->dtype);
  return call.output(x->shape, x->dtype, [=](Engine& engine, Tensor& y) { engine.activate(kind, *x, y); });
}

Napi::Value add(const Napi::CallbackInfo& info) {
  OperationCall call(info, "add");
  const auto a = call.input("a");
  const auto b = call.input("b");
  const Activation activation = call.activation("activation");
  checkAdd(*a, *b);
  return call.output(a->shape, a->dtype,
                     [=](Engine& engine, Tensor& y) { engine.add(activation, *a, *b, y); });
}

Napi::Value maxPool2d(const Napi::CallbackInfo& info) {
  OperationCall call(info, "maxPool2d");
  return pool(call, PoolKind::Max);
}

Napi::Value avgPool2d(const Napi::CallbackInfo& info) {
  OperationCall call(info, "avgPool2d");
  return pool(call, call.boolean("countIncludePad", true) ? PoolKind::AverageIncludingPadding
                                                          : PoolKind::AverageExcludingPadding);
}

Napi::Value globalAvgPool(const Napi::CallbackInfo& info) {
  OperationCall call(info, "globalAvgPool");
  const auto x = call.input("x");
  const Shape shape = globalAvgPoolShape(*x);
  Pool2dAttributes a;
  a.kind = PoolKind::AverageIncludingPadding;
  a.kernel = {x->shape[2], x->shape[3]};
  return call.output(shape, x->dtype, [=](Engine& engine, Tensor& y) { engine.pool2d(a, *x, y); });
}

Napi::Value softmax(const Napi::CallbackInfo& info) {
  OperationCall call(info, "softmax");
  const auto x = call.input("x");
  checkSoftmax(*x);
  return call.output(x->shape, x->dtype, [=](Engine& engine, Tensor& y) { engine.softmax(*x, y); });
}

Napi::Value normalizeImage(const Napi::CallbackInfo& info) {
  OperationCall call(info, "normalizeImage");
  const auto pixels = call.input("pixels");
  const DType type = dtype(call.get("dtype"), call.what("dtype"));
  ImageNormalization normalization;
  const auto read = [&](const char* name, std::array<float, 3>& to) {
    const Napi::Value value = call.get(name);
    if (!value.IsArray() || value.As<Napi::Array>().Length() != 3) {
      throw Error(ErrorCode::Argument,
                  call.what(name) + " must be an array of 3 numbers, for red, green and blue");
    }
    for (uint32_t i = 0; i < 3; ++i) {
      const Napi::Value entry = value.As<Napi::Array>()[i];
      to[i] = static_cast<float>(number(entry, call.what(name) + "[" + std::to_string(i) + "]"));
    }
  };
  read("mean", normalization.mean);
  read("std", normalization.deviation);
  for (const float deviation : normalization.deviation) {
    if (!(deviation > 0)) {
      throw Error(ErrorCode::Argument,
                  call.what("std") + " must be above 0, got " + std::to_string(deviation));
    }
  }
  const Shape shape = normalizeImageShape(*pixels);
  checkFloat("normalizeImage", "dtype", type);
  return call.output(shape, type,
                     [=](Engine& engine, Tensor& y) { engine.normalizeImage(normalization, *pixels, y); });
}

}  // namespace cudnn_resnet::operations
