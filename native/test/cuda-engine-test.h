// Every primitive on a GPU, against loops in float64, on odd sizes: what the files cuda-engine-*-test.cc
// share. Skipped where there is no GPU, unless CUDNN_RESNET_TEST_GPU=required; built a second time with the
// GPU emulated on the host (test/support/host-cuda), where loops take the place of cuDNN.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <string_view>

#include "cuda/backend.h"
#include "engine-tensors.h"

namespace cudnn_resnet::cuda {

using test::Values;

class CudaEngineTest : public testing::TestWithParam<DType>, protected test::EngineTensors {
 protected:
  CudaEngineTest() : EngineTensors(GetParam()) {}

  void SetUp() override {
    const Backend found = backend();
    if (found.devices.empty()) {
      const char* const gpu = std::getenv("CUDNN_RESNET_TEST_GPU");
      ASSERT_FALSE(gpu != nullptr && std::string_view(gpu) == "required") << found.report();
      GTEST_SKIP() << found.report();
    }
    memory_.use->limit = found.devices[0].memory;
    engine_ = found.devices[0].open(memory_);
  }

  // Leaves x as Tensor Cores convolve it: channels last, and few of them with others behind them.
  TensorPtr channelsLast(const TensorPtr& x) {
    Conv2dAttributes attributes;
    attributes.compute.tf32 = true;
    const auto y = empty({x->shape[0], 1, x->shape[2], x->shape[3]});
    engine_->conv2d(attributes, *x, *randomTensor({1, x->shape[1], 1, 1}), nullptr, nullptr, *y);
    return x;
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
};

}  // namespace cudnn_resnet::cuda
