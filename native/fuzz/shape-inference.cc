// Every shape and attribute that the bindings let through gives a typed error, or the shape that counting the
// places of the window gives.
#include "core/shape-inference.h"

#include "core/tensor.h"
#include "input.h"
#include "require.h"

namespace cudnn_resnet::fuzz {
namespace {

Tensor tensor(Input& input, size_t rank) {
  Shape shape;
  int64_t left = mostElements;
  for (size_t i = 0; i < rank; ++i) {
    shape.push_back(input.integer(1, left));
    left /= shape.back();
  }
  constexpr DType dtypes[] = {DType::Float32, DType::Float16, DType::BFloat16, DType::UInt8, DType::Int64};
  return {shape, dtypes[input.byte() < 200 ? 0 : input.byte() % 5]};
}

Pair pair(Input& input, int64_t least) {
  return {input.integer(least, largestAttribute), input.integer(least, largestAttribute)};
}

// The last place that the window may stand at, and so how many there are: by search instead of by division.
int64_t places(int64_t extent, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation) {
  const auto fits = [&](__int128 place) {
    return place * stride + static_cast<__int128>(kernel - 1) * dilation <
           static_cast<__int128>(extent) + 2 * padding;
  };
  __int128 count = 0;
  for (__int128 step = static_cast<__int128>(1) << 60; step > 0; step /= 2) {
    if (fits(count + step - 1)) {
      count += step;
    }
  }
  return static_cast<int64_t>(count);
}

void conv2d(Input& input) {
  const Tensor x = tensor(input, input.byte() < 240 ? 4 : input.byte() % 6);
  const Tensor weight = tensor(input, input.byte() < 240 ? 4 : input.byte() % 6);
  Conv2dAttributes a;
  a.stride = pair(input, 1);
  a.padding = pair(input, 0);
  a.dilation = pair(input, 1);
  a.groups = input.integer(1, largestAttribute);
  const Tensor bias = tensor(input, 1);
  const Shape y = conv2dShape(a, x, weight, input.byte() % 2 == 0 ? nullptr : &bias, nullptr);
  require(y.size() == 4 && y[0] == x.shape[0] && y[1] == weight.shape[0]);
  for (size_t i = 2; i < 4; ++i) {
    require(y[i] ==
            places(x.shape[i], weight.shape[i], a.stride[i - 2], a.padding[i - 2], a.dilation[i - 2]));
  }
}

void pool2d(Input& input) {
  const Tensor x = tensor(input, input.byte() < 240 ? 4 : input.byte() % 6);
  Pool2dAttributes a;
  a.kind = input.byte() % 2 == 0 ? PoolKind::Max : PoolKind::AverageIncludingPadding;
  a.kernel = pair(input, 1);
  a.stride = pair(input, 1);
  a.padding = pair(input, 0);
  const Shape y = pool2dShape(a, x);
  for (size_t i = 2; i < 4; ++i) {
    require(y[i] == places(x.shape[i], a.kernel[i - 2], a.stride[i - 2], a.padding[i - 2], 1));
  }
}

void reshape(Input& input) {
  Shape wanted;
  int64_t left = mostElements;
  const size_t rank = input.byte() % (maxRank + 1);
  for (size_t i = 0; i < rank; ++i) {
    const bool open = input.byte() % 4 == 0;
    wanted.push_back(open ? -1 : input.integer(0, left));
    left /= wanted.back() > 1 ? wanted.back() : 1;
  }
  const int64_t size = input.integer(1, mostElements);
  const Shape shape = reshapedShape(wanted, size);
  require(shape.size() == wanted.size() && elements(shape) == size);
  for (size_t i = 0; i < shape.size(); ++i) {
    require(shape[i] > 0 && (wanted[i] == shape[i] || wanted[i] == -1));
  }
}

void batchNorm(Input& input) {
  const Tensor x = tensor(input, input.byte() < 240 ? 4 : input.byte() % 6);
  const Tensor mean = tensor(input, input.byte() % 3);
  const Tensor weight = tensor(input, 1);
  checkBatchNorm(x, mean, mean, &weight, nullptr);
  checkBatchNormTraining(x, mean, mean, &weight, nullptr);
  require(mean.shape[0] == x.shape[1] && weight.shape[0] == x.shape[1]);
}

}  // namespace
}  // namespace cudnn_resnet::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cudnn_resnet;
  fuzz::Input input(data, size);
  try {
    constexpr void (*checks[])(fuzz::Input&) = {fuzz::conv2d, fuzz::pool2d, fuzz::reshape, fuzz::batchNorm};
    checks[input.byte() % 4](input);
  } catch (const Error& error) {
    fuzz::require(error.code() == ErrorCode::Shape || error.code() == ErrorCode::DType ||
                  error.code() == ErrorCode::Argument);
  }
  return 0;
}
