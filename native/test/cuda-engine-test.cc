// Every primitive on a GPU, against loops in float64, on odd sizes. Skipped where there is no GPU; built a
// second time with the GPU emulated on the host (test/support/host-cuda), where loops take the place of
// cuDNN.
#ifdef CUDNN_RESNET_CUDA

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <vector>

#include "core/random.h"
#include "cuda/backend.h"

namespace cudnn_resnet::cuda {
namespace {

using Values = std::vector<double>;

class CudaEngineTest : public testing::TestWithParam<DType> {
 protected:
  void SetUp() override {
    const Backend found = backend();
    if (found.devices.empty()) {
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

double activated(Activation activation, double x) {
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

struct ConvCase {
  Shape x, weight;
  Conv2dAttributes attributes;
  bool bias, add;
};

Shape outputOf(const ConvCase& c) {
  Shape y{c.x[0], c.weight[0], 0, 0};
  for (size_t i = 0; i < 2; ++i) {
    const auto& a = c.attributes;
    y[2 + i] = (c.x[2 + i] + 2 * a.padding[i] - a.dilation[i] * (c.weight[2 + i] - 1) - 1) / a.stride[i] + 1;
  }
  return y;
}

Values convolved(const ConvCase& c, const Values& x, const Values& weight, const Values& bias,
                 const Values& add) {
  const Shape y = outputOf(c);
  const auto& a = c.attributes;
  const int64_t perGroup = c.weight[1];
  const int64_t outPerGroup = c.weight[0] / a.groups;
  Values out;
  for (int64_t n = 0; n < y[0]; ++n) {
    for (int64_t k = 0; k < y[1]; ++k) {
      for (int64_t row = 0; row < y[2]; ++row) {
        for (int64_t column = 0; column < y[3]; ++column) {
          double sum = c.bias ? bias[static_cast<size_t>(k)] : 0;
          for (int64_t channel = 0; channel < perGroup; ++channel) {
            for (int64_t r = 0; r < c.weight[2]; ++r) {
              for (int64_t s = 0; s < c.weight[3]; ++s) {
                const int64_t h = row * a.stride[0] - a.padding[0] + r * a.dilation[0];
                const int64_t w = column * a.stride[1] - a.padding[1] + s * a.dilation[1];
                if (h >= 0 && h < c.x[2] && w >= 0 && w < c.x[3]) {
                  const int64_t in = k / outPerGroup * perGroup + channel;
                  sum += x[static_cast<size_t>(((n * c.x[1] + in) * c.x[2] + h) * c.x[3] + w)] *
                         weight[static_cast<size_t>(
                             ((k * perGroup + channel) * c.weight[2] + r) * c.weight[3] + s)];
                }
              }
            }
          }
          sum += c.add ? add[out.size()] : 0;
          out.push_back(activated(a.activation, sum));
        }
      }
    }
  }
  return out;
}

std::vector<ConvCase> convCases() {
  const auto with = [](Pair stride, Pair padding, Pair dilation, int64_t groups, Activation activation) {
    Conv2dAttributes attributes;
    attributes.stride = stride;
    attributes.padding = padding;
    attributes.dilation = dilation;
    attributes.groups = groups;
    attributes.activation = activation;
    return attributes;
  };
  const auto tuned = [&](Activation activation) {
    Conv2dAttributes attributes = with({1, 1}, {1, 1}, {1, 1}, 1, activation);
    attributes.compute.tune = true;
    return attributes;
  };
  const auto relu = Activation::Relu;
  const auto none = Activation::None;
  return {
      {{2, 3, 37, 29}, {16, 3, 7, 7}, with({2, 2}, {3, 3}, {1, 1}, 1, relu), true, false},
      {{2, 64, 14, 14}, {64, 64, 3, 3}, with({1, 1}, {1, 1}, {1, 1}, 1, relu), true, true},
      {{1, 64, 9, 9}, {256, 64, 1, 1}, with({2, 2}, {0, 0}, {1, 1}, 1, none), true, false},
      {{2, 5, 13, 11}, {7, 5, 3, 3}, with({2, 1}, {1, 0}, {1, 1}, 1, relu), true, true},
      {{1, 13, 8, 8}, {3, 13, 3, 3}, with({1, 1}, {2, 2}, {2, 2}, 1, none), false, false},
      {{2, 8, 9, 9}, {16, 2, 3, 3}, with({1, 1}, {1, 1}, {1, 1}, 4, relu), true, false},
      {{2, 6, 9, 9}, {6, 1, 3, 3}, with({1, 1}, {1, 1}, {1, 1}, 6, none), true, true},
      {{1, 1, 5, 5}, {1, 1, 3, 3}, with({1, 1}, {1, 1}, {1, 1}, 1, none), false, false},
      {{1, 16, 7, 7}, {24, 16, 3, 3}, with({1, 1}, {1, 1}, {1, 1}, 1, Activation::Gelu), true, true},
      {{1, 16, 7, 7}, {24, 16, 3, 3}, with({1, 1}, {1, 1}, {1, 1}, 1, Activation::Swish), true, false},
      {{1, 16, 7, 7}, {24, 16, 3, 3}, with({1, 1}, {1, 1}, {1, 1}, 1, Activation::Tanh), true, true},
      {{1, 16, 7, 7}, {24, 16, 3, 3}, with({1, 1}, {1, 1}, {1, 1}, 1, Activation::Relu6), true, false},
      {{1, 16, 7, 7}, {24, 16, 3, 3}, tuned(relu), true, false},
  };
}

TEST_P(CudaEngineTest, Convolves) {
  for (const ConvCase& c : convCases()) {
    SCOPED_TRACE(text(c.x) + " * " + text(c.weight));
    const Shape shape = outputOf(c);
    const Values x = random(c.x);
    const Values weight = random(c.weight);
    const Values bias = random({c.weight[0]});
    const Values add = random(shape);
    const auto y = empty(shape);
    const auto biasTensor = tensor({c.weight[0]}, bias);
    const auto addTensor = tensor(shape, add);
    engine_->conv2d(c.attributes, *tensor(c.x, x), *tensor(c.weight, weight),
                    c.bias ? biasTensor.get() : nullptr, c.add ? addTensor.get() : nullptr, *y);
    expectClose(*y, convolved(c, x, weight, bias, add));
  }
}

// The convolution wants its input with padding channels, the addition wants it without.
TEST_P(CudaEngineTest, AddsWhatItConvolves) {
  for (const int64_t channels : {3, 5, 8, 13}) {
    SCOPED_TRACE(channels);
    ConvCase c{{1, channels, 3, 4}, {channels, channels, 3, 3}, {}, false, true};
    c.attributes.padding = {1, 1};
    const Values x = random(c.x);
    const Values weight = random(c.weight);
    const auto both = tensor(c.x, x);
    const auto y = empty(outputOf(c));
    engine_->conv2d(c.attributes, *both, *tensor(c.weight, weight), nullptr, both.get(), *y);
    expectClose(*y, convolved(c, x, weight, {}, x));
    EXPECT_EQ(read(*both), x);
  }
}

TEST_P(CudaEngineTest, ConvolvesWithTF32WhereThatIsAllowed) {
  ConvCase c{{2, 16, 9, 9}, {24, 16, 3, 3}, {}, true, false};
  c.attributes.compute.tf32 = true;
  const Values x = random(c.x);
  const Values weight = random(c.weight);
  const Values bias = random({c.weight[0]});
  const auto y = empty(outputOf(c));
  engine_->conv2d(c.attributes, *tensor(c.x, x), *tensor(c.weight, weight), tensor({c.weight[0]}, bias).get(),
                  nullptr, *y);
  expectClose(*y, convolved(c, x, weight, bias, {}), 5e-3);
}

TEST_P(CudaEngineTest, ConvolvesIntegersExactly) {
  for (ConvCase c : convCases()) {
    if (c.attributes.activation != Activation::None && c.attributes.activation != Activation::Relu) {
      continue;
    }
    SCOPED_TRACE(text(c.x) + " * " + text(c.weight));
    c.bias = c.add = false;
    const auto integers = [this](const Shape& shape) {
      Values values = random(shape);
      std::transform(values.begin(), values.end(), values.begin(), [](double v) {
        return v > 0.8 ? 1.0 : v < -0.8 ? -1.0 : 0.0;
      });
      return values;
    };
    const Values x = integers(c.x);
    const Values weight = integers(c.weight);
    const auto y = empty(outputOf(c));
    engine_->conv2d(c.attributes, *tensor(c.x, x), *tensor(c.weight, weight), nullptr, nullptr, *y);
    EXPECT_EQ(read(*y), convolved(c, x, weight, {}, {}));
  }
}

TEST_P(CudaEngineTest, MultipliesByWeightsOfALinearLayer) {
  for (const auto& [rows, in, out] :
       std::vector<std::tuple<int64_t, int64_t, int64_t>>{{2, 64, 40}, {3, 33, 7}, {1, 1, 1}}) {
    const Values x = random({rows, in});
    const Values weight = random({out, in});
    const Values bias = random({out});
    const auto y = empty({rows, out});
    engine_->linear({}, *tensor({rows, in}, x), *tensor({out, in}, weight),
                    tensor({out}, bias, DType::Float32).get(), *y);
    const ConvCase c{{rows, in, 1, 1}, {out, in, 1, 1}, {}, true, false};
    expectClose(*y, convolved(c, x, weight, bias, {}));
  }
}

TEST_P(CudaEngineTest, MovesDataUnchangedThroughEveryLayout) {
  const Shape shape{2, 5, 7, 3};
  const Values x = random(shape);
  const auto held = tensor(shape, x);
  EXPECT_EQ(read(*held), x);
  const auto y = empty(shape);
  engine_->pool2d({PoolKind::Max, {1, 1}, {1, 1}, {0, 0}}, *held, *y);  // through NHWC
  EXPECT_EQ(read(*y), x);
  EXPECT_EQ(read(*held), x);
  const auto flat = empty({2, 105});
  engine_->reshape(*held, *flat);
  EXPECT_EQ(read(*flat), x);
  const auto none = empty(shape);
  engine_->zeros(*none);
  EXPECT_EQ(read(*none), Values(x.size(), 0.0));
  for (const DType other : {DType::Float32, DType::Float16, DType::BFloat16}) {
    const auto cast = std::make_shared<Tensor>(shape, other);
    engine_->cast(*held, *cast);
    EXPECT_EQ(read(*cast), rounded(x, other));
  }
}

TEST_P(CudaEngineTest, NormalisesByGivenStatistics) {
  for (const int64_t channels : {3, 16, 65}) {
    const Shape shape{2, channels, 5, 7};
    const Values x = random(shape);
    Values mean = random({channels});
    Values variance = random({channels});
    for (double& v : variance) {
      v = static_cast<float>(v * v + 0.1);
    }
    const Values weight = random({channels});
    const Values bias = random({channels});
    const auto f32 = DType::Float32;
    const auto meanTensor = tensor({channels}, mean, f32);
    const auto varianceTensor = tensor({channels}, variance, f32);
    const auto weightTensor = tensor({channels}, weight, f32);
    const auto biasTensor = tensor({channels}, bias, f32);
    const auto y = empty(shape);
    engine_->batchNorm({*meanTensor, *varianceTensor, weightTensor.get(), biasTensor.get(), 1e-5},
                       Activation::Relu, *tensor(shape, x), *y);
    Values expected;
    for (size_t i = 0; i < x.size(); ++i) {
      const size_t c = i / 35 % static_cast<size_t>(channels);
      expected.push_back(
          std::max(0.0, (x[i] - mean[c]) / std::sqrt(variance[c] + 1e-5) * weight[c] + bias[c]));
    }
    expectClose(*y, expected);
  }
}

TEST_P(CudaEngineTest, NormalisesByTheStatisticsOfTheBatch) {
  for (const int64_t channels : {3, 8, 64}) {
    const Shape shape{3, channels, 5, 7};
    const Values x = random(shape);
    const Values weight = random({channels});
    const Values bias = random({channels});
    const auto f32 = DType::Float32;
    const auto mean = tensor({channels}, Values(static_cast<size_t>(channels), 0.5), f32);
    const auto variance = tensor({channels}, Values(static_cast<size_t>(channels), 2), f32);
    const auto y = empty(shape);
    engine_->batchNormTraining(
        {*mean, *variance, tensor({channels}, weight, f32).get(), tensor({channels}, bias, f32).get(), 1e-5},
        0.1, *tensor(shape, x), *y);
    Values expected(x.size());
    Values movedMean;
    Values movedVariance;
    const auto each = [&](size_t c, const std::function<void(size_t)>& visit) {
      for (size_t n = 0; n < 3; ++n) {
        for (size_t p = 0; p < 35; ++p) {
          visit((n * static_cast<size_t>(channels) + c) * 35 + p);
        }
      }
    };
    for (size_t c = 0; c < static_cast<size_t>(channels); ++c) {
      double sum = 0;
      double squares = 0;
      each(c, [&](size_t i) { sum += x[i]; });
      each(c, [&](size_t i) { squares += (x[i] - sum / 105) * (x[i] - sum / 105); });
      each(c, [&](size_t i) {
        expected[i] = (x[i] - sum / 105) / std::sqrt(squares / 105 + 1e-5) * weight[c] + bias[c];
      });
      movedMean.push_back(0.9 * 0.5 + 0.1 * sum / 105);
      movedVariance.push_back(0.9 * 2 + 0.1 * squares / 104);
    }
    expectClose(*y, expected);
    expectClose(*mean, movedMean);
    expectClose(*variance, movedVariance);
  }
}

TEST_P(CudaEngineTest, ActivatesAndAdds) {
  for (const Shape& shape : {Shape{2, 5, 7, 3}, Shape{4, 64}, Shape{1, 1, 1, 1}, Shape{1037}}) {
    const Values a = random(shape);
    const Values b = random(shape);
    for (const auto activation : {Activation::None, Activation::Relu, Activation::Relu6, Activation::Sigmoid,
                                  Activation::Tanh, Activation::Gelu, Activation::Swish}) {
      Values expected;
      Values sums;
      for (size_t i = 0; i < a.size(); ++i) {
        expected.push_back(activated(activation, a[i]));
        sums.push_back(activated(activation, a[i] + b[i]));
      }
      const auto y = empty(shape);
      engine_->activate(activation, *tensor(shape, a), *y);
      if (std::any_of(expected.begin(), expected.end(), [](double v) { return v != 0; })) {
        expectClose(*y, expected);
      }
      const auto sum = empty(shape);
      engine_->add(activation, *tensor(shape, a), *tensor(shape, b), *sum);
      if (std::any_of(sums.begin(), sums.end(), [](double v) { return v != 0; })) {
        expectClose(*sum, sums);
      }
    }
  }
}

TEST_P(CudaEngineTest, ATensorIsGivenItsOwnValues) {
  const Shape shape{2, 3, 4, 5};
  const Values values = random(shape);
  const auto x = tensor(shape, values);
  engine_->reshape(*x, *x);
  EXPECT_EQ(read(*x), values);
}

TEST_P(CudaEngineTest, ScalesSlicesInFloat64) {
  const Shape shape{5, 3, 7, 1};
  Tensor x(shape, GetParam());
  Tensor y(shape, GetParam());
  std::vector<std::byte> values(x.bytes());
  convertElements(random(shape).data(), DType::Float64, values.data(), GetParam(), 105);
  const std::vector<double> factors{0.1, 3, -7.7, 1e-3, 1e6 / 3};
  engine_->upload(values.data(), x);
  engine_->scaleSlices(factors, x, y, ConvAlgorithm::Direct);
  for (size_t slice = 0; slice < 5; ++slice) {
    std::byte* const first = values.data() + slice * values.size() / 5;
    scaleElements(first, factors[slice], first, GetParam(), 21);
  }
  std::vector<std::byte> got(y.bytes());
  engine_->download(y, got.data());
  EXPECT_EQ(got, values);
}

TEST_P(CudaEngineTest, Pools) {
  struct Case {
    Shape x;
    Pool2dAttributes attributes;
  };
  for (const auto& [shape, a] :
       std::vector<Case>{{{2, 64, 15, 13}, {PoolKind::Max, {3, 3}, {2, 2}, {1, 1}}},
                         {{1, 5, 7, 9}, {PoolKind::Max, {2, 3}, {1, 2}, {1, 0}}},
                         {{2, 8, 9, 9}, {PoolKind::AverageIncludingPadding, {3, 3}, {2, 2}, {1, 1}}},
                         {{2, 8, 9, 9}, {PoolKind::AverageExcludingPadding, {3, 3}, {2, 2}, {1, 1}}},
                         {{2, 37, 7, 7}, {PoolKind::AverageIncludingPadding, {7, 7}, {1, 1}, {0, 0}}}}) {
    SCOPED_TRACE(text(shape));
    const Values x = random(shape);
    Shape out{shape[0], shape[1], 0, 0};
    for (size_t i = 0; i < 2; ++i) {
      out[2 + i] = (shape[2 + i] + 2 * a.padding[i] - a.kernel[i]) / a.stride[i] + 1;
    }
    Values expected;
    for (int64_t plane = 0; plane < shape[0] * shape[1]; ++plane) {
      for (int64_t row = 0; row < out[2]; ++row) {
        for (int64_t column = 0; column < out[3]; ++column) {
          double sum = 0;
          double greatest = -std::numeric_limits<double>::infinity();
          int64_t count = 0;
          for (int64_t r = 0; r < a.kernel[0]; ++r) {
            for (int64_t s = 0; s < a.kernel[1]; ++s) {
              const int64_t h = row * a.stride[0] - a.padding[0] + r;
              const int64_t w = column * a.stride[1] - a.padding[1] + s;
              if (h >= 0 && h < shape[2] && w >= 0 && w < shape[3]) {
                const double value = x[static_cast<size_t>((plane * shape[2] + h) * shape[3] + w)];
                sum += value;
                greatest = std::max(greatest, value);
                ++count;
              }
            }
          }
          const int64_t divisor =
              a.kind == PoolKind::AverageIncludingPadding ? a.kernel[0] * a.kernel[1] : count;
          expected.push_back(a.kind == PoolKind::Max ? greatest : sum / static_cast<double>(divisor));
        }
      }
    }
    const auto y = empty(out);
    engine_->pool2d(a, *tensor(shape, x), *y);
    expectClose(*y, expected);
  }
}

TEST_P(CudaEngineTest, TakesTheSoftmaxOverDimensionOne) {
  for (const Shape& shape : {Shape{3, 1000}, Shape{2, 7}, Shape{2, 5, 3, 4}}) {
    const Values x = random(shape);
    const auto channels = static_cast<size_t>(shape[1]);
    const size_t inner = shape.size() == 4 ? static_cast<size_t>(shape[2] * shape[3]) : 1;
    Values expected(x.size());
    for (size_t outer = 0; outer < static_cast<size_t>(shape[0]); ++outer) {
      for (size_t i = 0; i < inner; ++i) {
        double sum = 0;
        for (size_t c = 0; c < channels; ++c) {
          sum += std::exp(x[(outer * channels + c) * inner + i]);
        }
        for (size_t c = 0; c < channels; ++c) {
          expected[(outer * channels + c) * inner + i] =
              std::exp(x[(outer * channels + c) * inner + i]) / sum;
        }
      }
    }
    const auto y = empty(shape);
    engine_->softmax(*tensor(shape, x), *y);
    expectClose(*y, expected);
  }
}

TEST_P(CudaEngineTest, NormalisesImagesForTheConvolutionBehind) {
  const Shape pixels{2, 5, 7, 3};
  Values bytes(210);
  std::iota(bytes.begin(), bytes.end(), 0);
  const ImageNormalization n{{0.485F, 0.456F, 0.406F}, {0.229F, 0.224F, 0.225F}};
  const auto y = empty({2, 3, 5, 7});
  engine_->normalizeImage(n, *tensor(pixels, bytes, DType::UInt8), *y);
  Values expected;
  for (size_t image = 0; image < 2; ++image) {
    for (size_t channel = 0; channel < 3; ++channel) {
      for (size_t pixel = 0; pixel < 35; ++pixel) {
        expected.push_back((bytes[(image * 35 + pixel) * 3 + channel] / 255 - n.mean[channel]) /
                           n.deviation[channel]);
      }
    }
  }
  const ConvCase c{{2, 3, 5, 7}, {8, 3, 3, 3}, {}, false, false};
  const Values weight = random(c.weight);
  const auto convolution = empty(outputOf(c));
  engine_->conv2d(c.attributes, *y, *tensor(c.weight, weight), nullptr, nullptr, *convolution);
  expectClose(*convolution, convolved(c, rounded(expected, GetParam()), weight, {}, {}));
  expectClose(*y, expected);
}

TEST_P(CudaEngineTest, FindsTheBest) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  Values x = random({3, 1000});
  x[1000 + 17] = nan;
  x[1000 + 5] = x[1000 + 900] = 9;
  for (const int64_t k : {1, 5, 128, 129, 1000}) {
    TopK best;
    engine_->topK(*tensor({3, 1000}, x), k, best)();
    ASSERT_EQ(best.indices.size(), static_cast<size_t>(3 * k));
    for (int64_t row = 0; row < 3; ++row) {
      std::vector<int64_t> order(1000);
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
        const double va = x[static_cast<size_t>(row * 1000 + a)];
        const double vb = x[static_cast<size_t>(row * 1000 + b)];
        return std::isnan(va) ? !std::isnan(vb) : va > vb;
      });
      order.resize(static_cast<size_t>(k));
      const auto first = best.indices.begin() + row * k;
      EXPECT_EQ(std::vector<int64_t>(first, first + k), order);
    }
  }
}

TEST_P(CudaEngineTest, GivesMemoryBackAndSaysWhenThereIsNone) {
  const size_t before = memory_.use->used;
  { const auto x = tensor({3, 1000}, random({3, 1000})); }
  engine_->trim();
  EXPECT_EQ(memory_.use->used, before);
  memory_.use->limit = memory_.use->reserved + 1000;
  const auto large = empty({1000, 1000});
  try {
    engine_->zeros(*large);
    FAIL() << "more than the limit was given";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::OutOfMemory);
  }
  memory_.use->limit = SIZE_MAX;
  engine_->zeros(*large);
  engine_->synchronize();
}

INSTANTIATE_TEST_SUITE_P(DTypes, CudaEngineTest,
                         testing::Values(DType::Float32, DType::Float16, DType::BFloat16),
                         [](const auto& info) { return std::string(name(info.param)); });

}  // namespace
}  // namespace cudnn_resnet::cuda

#endif
