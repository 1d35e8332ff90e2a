// Every primitive on a GPU, against loops in float64, on odd sizes: what the files cuda-engine-*-test.cc
// share. Skipped where there is no GPU, unless CUDNN_RESNET_TEST_GPU=required; built a second time with the
// GPU emulated on the host (test/support/host-cuda), where loops take the place of cuDNN.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

#include "core/random.h"
#include "cuda/backend.h"

namespace cudnn_resnet::cuda {

using Values = std::vector<double>;

class CudaEngineTest : public testing::TestWithParam<DType> {
 protected:
  void SetUp() override {
    const Backend found = backend();
    if (found.devices.empty()) {
      const char* const gpu = std::getenv("CUDNN_RESNET_TEST_GPU");
      ASSERT_FALSE(gpu != nullptr && std::string_view(gpu) == "required") << found.report();
      GTEST_SKIP() << found.report();
    }
    memory_.use = std::make_shared<MemoryUse>();
    memory_.use->limit = found.devices[0].memory;
    engine_ = found.devices[0].open(memory_);
  }

  // Random values, as the dtype holds them.
  Values random(const Shape& shape) {
    std::vector<float> values(static_cast<size_t>(elements(shape)));
    fillNormal({7, stream_++}, 0, 1, values);
    return rounded({values.begin(), values.end()}, GetParam());
  }
  static Values rounded(const Values& values, DType dtype) {
    std::vector<std::byte> bytes(values.size() * bytesPerElement(dtype));
    convertElements(values.data(), DType::Float64, bytes.data(), dtype, values.size());
    Values result(values.size());
    convertElements(bytes.data(), dtype, result.data(), DType::Float64, values.size());
    return result;
  }

  TensorPtr tensor(const Shape& shape, const Values& values, DType dtype) {
    auto x = std::make_shared<Tensor>(shape, dtype);
    std::vector<std::byte> bytes(x->bytes());
    convertElements(values.data(), DType::Float64, bytes.data(), dtype, values.size());
    engine_->upload(bytes.data(), *x);
    return x;
  }
  TensorPtr tensor(const Shape& shape, const Values& values) { return tensor(shape, values, GetParam()); }
  // Leaves x as Tensor Cores convolve it: channels last, and few of them with others behind them.
  TensorPtr channelsLast(const TensorPtr& x) {
    Conv2dAttributes attributes;
    attributes.compute.tf32 = true;
    const auto y = empty({x->shape[0], 1, x->shape[2], x->shape[3]});
    engine_->conv2d(attributes, *x, *tensor({1, x->shape[1], 1, 1}, random({x->shape[1]})), nullptr, nullptr,
                    *y);
    return x;
  }
  TensorPtr empty(const Shape& shape) { return std::make_shared<Tensor>(shape, GetParam()); }

  Values read(Tensor& x) {
    std::vector<std::byte> bytes(x.bytes(), std::byte{0xff});
    engine_->download(x, bytes.data());
    Values values(static_cast<size_t>(x.size()));
    convertElements(bytes.data(), x.dtype, values.data(), DType::Float64, values.size());
    return values;
  }

  void expectClose(Tensor& y, const Values& expected, double float32Tolerance = 1e-5) {
    const Values values = read(y);
    ASSERT_EQ(values.size(), expected.size());
    double error = 0;
    double norm = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      error += (values[i] - expected[i]) * (values[i] - expected[i]);
      norm += expected[i] * expected[i];
    }
    const double tolerance = y.dtype == DType::Float32   ? float32Tolerance
                             : y.dtype == DType::Float16 ? 5e-3
                                                         : 3e-2;
    EXPECT_LE(std::sqrt(error / norm), tolerance);  // false for NaN
  }

  EngineMemory memory_;
  std::unique_ptr<Engine> engine_;
  uint64_t stream_ = 0;
};

inline double activated(Activation activation, double x) {
  switch (activation) {
    case Activation::None:
      return x;
    case Activation::Relu:
      return std::max(x, 0.0);
    case Activation::Relu6:
      return std::clamp(x, 0.0, 6.0);
    case Activation::Sigmoid:
      return 1 / (1 + std::exp(-x));
    case Activation::Tanh:
      return std::tanh(x);
    case Activation::Gelu:
      return x * 0.5 * (1 + std::erf(x / std::sqrt(2.0)));
    case Activation::Swish:
      return x / (1 + std::exp(-x));
  }
  return x;
}

}  // namespace cudnn_resnet::cuda
