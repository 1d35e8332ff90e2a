#include "core/shape-inference.h"

#include <initializer_list>
#include <limits>
#include <string>
#include <utility>

namespace cudnn_resnet {
namespace {

using std::to_string;

constexpr int64_t maxProduct = std::numeric_limits<int64_t>::max();

[[noreturn]] void wrongShape(const std::string& message) { throw Error(ErrorCode::Shape, message); }

void checkRank(const char* operation, const char* argument, const Tensor& x, size_t rank,
               const char* meaning) {
  if (x.shape.size() != rank) {
    wrongShape(std::string(operation) + ": " + argument + " must have " + to_string(rank) + " dimensions " +
               meaning + ", got " + text(x.shape));
  }
}

void checkImages(const char* operation, const Tensor& x) {
  checkRank(operation, "x", x, 4, "[N, C, H, W]");
  checkFloat(operation, "x", x.dtype);
}

// A bias may stay in float32 beside activations of 16 bits.
void checkBias(const char* operation, const Tensor* bias, const Tensor& x, int64_t channels) {
  if (bias != nullptr) {
    checkShape(operation, "bias", *bias, {channels});
    if (bias->dtype != DType::Float32) {
      checkDType(operation, "bias", *bias, x.dtype);
    }
  }
}

// Statistics and parameters of a batch norm by their names, nullptr where one is left out.
void checkPerChannel(const char* operation, int64_t channels,
                     std::initializer_list<std::pair<const char*, const Tensor*>> parameters) {
  for (const auto& [argument, parameter] : parameters) {
    if (parameter != nullptr) {
      checkShape(operation, argument, *parameter, {channels});
      checkDType(operation, argument, *parameter, DType::Float32);
    }
  }
}

void checkOutput(const char* operation, const Tensor& x, const Shape& y) {
  for (const int64_t extent : y) {
    if (extent <= 0) {
      wrongShape(std::string(operation) + ": the kernel is larger than the padded input " + text(x.shape) +
                 ", the output would be " + text(y));
    }
  }
}

}  // namespace

void checkShape(const char* operation, const char* argument, const Tensor& x, const Shape& expected) {
  if (x.shape != expected) {
    wrongShape(std::string(operation) + ": " + argument + " must have shape " + text(expected) + ", got " +
               text(x.shape));
  }
}

void checkDType(const char* operation, const char* argument, const Tensor& x, DType expected) {
  if (x.dtype != expected) {
    throw Error(ErrorCode::DType, std::string(operation) + ": " + argument + " must be " +
                                      std::string(name(expected)) + ", got " + std::string(name(x.dtype)));
  }
}

void checkFloat(const char* operation, const char* argument, DType dtype) {
  if (!isFloat(dtype)) {
    throw Error(ErrorCode::DType, std::string(operation) + ": " + argument +
                                      " must be float32, float16 or bfloat16, got " +
                                      std::string(name(dtype)));
  }
}

int64_t slidingExtent(int64_t extent, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation) {
  const int64_t padded = extent + 2 * padding;
  if (kernel - 1 > (padded - 1) / dilation) {
    return 0;  // before the product below could overflow
  }
  return (padded - 1 - dilation * (kernel - 1)) / stride + 1;
}

Shape conv2dShape(const Conv2dAttributes& attributes, const Tensor& x, const Tensor& weight,
                  const Tensor* bias, const Tensor* add) {
  constexpr auto op = "conv2d";
  checkImages(op, x);
  checkRank(op, "weight", weight, 4, "[out, in / groups, kernel height, kernel width]");
  checkDType(op, "weight", weight, x.dtype);
  const int64_t groups = attributes.groups;
  const int64_t out = weight.shape[0];
  if (x.shape[1] % groups != 0 || x.shape[1] / groups != weight.shape[1]) {
    wrongShape("conv2d: x " + text(x.shape) + " has " + to_string(x.shape[1]) + " channels, weight " +
               text(weight.shape) + " with groups " + to_string(groups) + " expects " +
               (weight.shape[1] > maxProduct / groups ? "more" : to_string(weight.shape[1] * groups)));
  }
  if (out % groups != 0) {
    wrongShape("conv2d: the " + to_string(out) + " output channels of weight " + text(weight.shape) +
               " do not divide into " + to_string(groups) + " groups");
  }
  checkBias(op, bias, x, out);
  Shape y{x.shape[0], out, 0, 0};
  for (size_t i = 0; i < 2; ++i) {
    y[2 + i] = slidingExtent(x.shape[2 + i], weight.shape[2 + i], attributes.stride[i], attributes.padding[i],
                             attributes.dilation[i]);
  }
  checkOutput(op, x, y);
  if (add != nullptr) {
    checkShape(op, "add", *add, y);
    checkDType(op, "add", *add, x.dtype);
  }
  return y;
}

Shape pool2dShape(const Pool2dAttributes& attributes, const Tensor& x) {
  const char* op = attributes.kind == PoolKind::Max ? "maxPool2d" : "avgPool2d";
  checkImages(op, x);
  Shape y{x.shape[0], x.shape[1], 0, 0};
  for (size_t i = 0; i < 2; ++i) {
    if (attributes.padding[i] * 2 > attributes.kernel[i]) {
      throw Error(ErrorCode::Argument, std::string(op) + ": padding " + to_string(attributes.padding[i]) +
                                           " is more than half the kernel size " +
                                           to_string(attributes.kernel[i]));
    }
    y[2 + i] =
        slidingExtent(x.shape[2 + i], attributes.kernel[i], attributes.stride[i], attributes.padding[i], 1);
  }
  checkOutput(op, x, y);
  return y;
}

Shape globalAvgPoolShape(const Tensor& x) {
  constexpr auto op = "globalAvgPool";
  checkImages(op, x);
  return {x.shape[0], x.shape[1], 1, 1};
}

Shape linearShape(const Tensor& x, const Tensor& weight, const Tensor* bias) {
  constexpr auto op = "linear";
  checkRank(op, "x", x, 2, "[N, in]");
  checkRank(op, "weight", weight, 2, "[out, in]");
  checkFloat(op, "x", x.dtype);
  checkDType(op, "weight", weight, x.dtype);
  if (x.shape[1] != weight.shape[1]) {
    wrongShape("linear: x " + text(x.shape) + " has " + to_string(x.shape[1]) + " features, weight " +
               text(weight.shape) + " expects " + to_string(weight.shape[1]));
  }
  checkBias(op, bias, x, weight.shape[0]);
  return {x.shape[0], weight.shape[0]};
}

Shape normalizeImageShape(const Tensor& pixels) {
  constexpr auto op = "normalizeImage";
  checkRank(op, "pixels", pixels, 4, "[N, H, W, 3]");
  checkDType(op, "pixels", pixels, DType::UInt8);
  if (pixels.shape[3] != 3) {
    wrongShape("normalizeImage: pixels must have shape [N, H, W, 3], got " + text(pixels.shape));
  }
  return {pixels.shape[0], 3, pixels.shape[1], pixels.shape[2]};
}

Shape reshapedShape(const Shape& wanted, int64_t size) {
  Shape shape = wanted;
  int64_t known = 1;
  int64_t* unknown = nullptr;
  for (int64_t& extent : shape) {
    if (extent == -1 && unknown == nullptr) {
      unknown = &extent;
    } else {
      known *= extent > 0 ? extent : 0;  // fits nothing
    }
  }
  if (unknown != nullptr && known > 0 && size % known == 0) {
    *unknown = size / known;
    known = size;
  }
  if (known != size) {
    wrongShape("reshape: " + to_string(size) + " elements do not fit shape " + text(wanted));
  }
  return shape;
}

void checkBatchNorm(const Tensor& x, const Tensor& mean, const Tensor& variance, const Tensor* weight,
                    const Tensor* bias) {
  constexpr auto op = "batchNorm";
  checkImages(op, x);
  checkPerChannel(op, x.shape[1],
                  {{"mean", &mean}, {"variance", &variance}, {"weight", weight}, {"bias", bias}});
}

void checkBatchNormTraining(const Tensor& x, const Tensor& runningMean, const Tensor& runningVariance,
                            const Tensor* weight, const Tensor* bias) {
  constexpr auto op = "batchNormTraining";
  checkImages(op, x);
  checkPerChannel(op, x.shape[1],
                  {{"runningMean", &runningMean},
                   {"runningVariance", &runningVariance},
                   {"weight", weight},
                   {"bias", bias}});
  if (x.size() / x.shape[1] < 2) {
    wrongShape("batchNormTraining: expected more than 1 value per channel, got x " + text(x.shape));
  }
}

void checkFoldBatchNorm(const Tensor& weight, const Tensor* bias, const Tensor& mean, const Tensor& variance,
                        const Tensor* batchNormWeight, const Tensor* batchNormBias) {
  constexpr auto op = "foldBatchNorm";
  checkRank(op, "weight", weight, 4, "[out, in / groups, kernel height, kernel width]");
  checkFloat(op, "weight", weight.dtype);
  checkBias(op, bias, weight, weight.shape[0]);
  checkPerChannel(op, weight.shape[0],
                  {{"mean", &mean},
                   {"variance", &variance},
                   {"batchNormWeight", batchNormWeight},
                   {"batchNormBias", batchNormBias}});
}

void checkFolded(const Tensor& weight, const Tensor& foldedWeight, const Tensor& foldedBias) {
  constexpr auto op = "foldBatchNorm";
  checkShape(op, "foldedWeight", foldedWeight, weight.shape);
  checkDType(op, "foldedWeight", foldedWeight, weight.dtype);
  checkShape(op, "foldedBias", foldedBias, {weight.shape[0]});
  checkDType(op, "foldedBias", foldedBias, DType::Float32);
}

void checkAdd(const Tensor& a, const Tensor& b) {
  checkFloat("add", "a", a.dtype);
  checkShape("add", "b", b, a.shape);
  checkDType("add", "b", b, a.dtype);
}

void checkSoftmax(const Tensor& x) {
  checkFloat("softmax", "x", x.dtype);
  if (x.shape.size() != 2 && x.shape.size() != 4) {
    wrongShape("softmax: x must have 2 dimensions [N, C] or 4 [N, C, H, W], got " + text(x.shape));
  }
}

void checkTopK(const Tensor& x, int64_t k) {
  checkFloat("topK", "x", x.dtype);
  checkRank("topK", "x", x, 2, "[N, C]");
  if (k > x.shape[1]) {
    wrongShape("topK: k is " + to_string(k) + ", but a row of x " + text(x.shape) + " has " +
               to_string(x.shape[1]) + " values");
  }
}

}  // namespace cudnn_resnet
