#ifdef CUDNN_RESNET_CUDA

#include <algorithm>
#include <numeric>
#include <tuple>
#include <vector>

#include "activated.h"
#include "cuda-engine-test.h"

namespace cudnn_resnet::cuda {
namespace {

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
          out.push_back(test::activated(a.activation, sum));
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
    Conv2dAttributes withTF32 = c.attributes;
    withTF32.compute.tf32 = true;
    const Shape shape = outputOf(c);
    const Values x = random(c.x);
    const Values weight = random(c.weight);
    const Values bias = random({c.weight[0]});
    const Values add = random(shape);
    const auto y = empty(shape);
    const auto biasTensor = tensor({c.weight[0]}, bias);
    const auto addTensor = tensor(shape, add);
    const Values expected = convolved(c, x, weight, bias, add);
    for (const Conv2dAttributes& attributes : {c.attributes, withTF32}) {
      engine_->conv2d(attributes, *tensor(c.x, x), *tensor(c.weight, weight),
                      c.bias ? biasTensor.get() : nullptr, c.add ? addTensor.get() : nullptr, *y);
      expectClose(*y, expected, attributes.compute.tf32 ? 5e-3 : 1e-5);
    }
  }
}

// TF32 leaves channels last what strict float32 wants in C order, and the other way round.
TEST_P(CudaEngineTest, ConvolvesWhatOtherConvolutionsLeft) {
  ConvCase c{{2, 16, 6, 5}, {8, 16, 3, 3}, {}, true, true};
  c.attributes.activation = Activation::Relu;
  const Values x = random(c.x);
  const Values weight = random(c.weight);
  const Values bias = random({8});
  const Values add = random(outputOf(c));
  const Values expected = convolved(c, x, weight, bias, add);
  const auto xTensor = tensor(c.x, x);
  const auto weightTensor = tensor(c.weight, weight);
  const auto biasTensor = tensor({8}, bias);
  const auto addTensor = tensor(outputOf(c), add);
  for (const bool tf32 : {true, false, true}) {
    SCOPED_TRACE(tf32);
    c.attributes.compute.tf32 = tf32;
    const auto y = empty(outputOf(c));
    engine_->conv2d(c.attributes, *xTensor, *weightTensor, biasTensor.get(), addTensor.get(), *y);
    expectClose(*y, expected, tf32 ? 5e-3 : 1e-5);
  }
}

// Convolutions on Tensor Cores want their operands with padding channels, the addition wants them without.
TEST_P(CudaEngineTest, AddsWhatItConvolves) {
  for (const int64_t channels : {3, 5, 8, 13}) {
    for (const bool tf32 : {false, true}) {
      SCOPED_TRACE(std::to_string(channels) + (tf32 ? " tf32" : ""));
      ConvCase c{{1, channels, 3, 4}, {channels, channels, 3, 3}, {}, false, true};
      c.attributes.padding = {1, 1};
      c.attributes.compute.tf32 = tf32;
      const Values x = random(c.x);
      const Values weight = random(c.weight);
      const auto both = tensor(c.x, x);
      const auto y = empty(outputOf(c));
      engine_->conv2d(c.attributes, *both, *tensor(c.weight, weight), nullptr, both.get(), *y);
      expectClose(*y, convolved(c, x, weight, {}, x), tf32 ? 5e-3 : 1e-5);
      EXPECT_EQ(read(*both), x);
    }
  }
}

TEST_P(CudaEngineTest, AddsTheWeightsItConvolvesWith) {
  for (const bool tf32 : {false, true}) {
    ConvCase c{{3, 3, 4, 4}, {3, 3, 2, 2}, {}, false, true};
    c.attributes.stride = {2, 2};
    c.attributes.compute.tf32 = tf32;
    const Values x = random(c.x);
    const Values weight = random(c.weight);
    const auto both = tensor(c.weight, weight);
    const auto y = empty(outputOf(c));
    engine_->conv2d(c.attributes, *tensor(c.x, x), *both, nullptr, both.get(), *y);
    expectClose(*y, convolved(c, x, weight, {}, weight), tf32 ? 5e-3 : 1e-5);
    EXPECT_EQ(read(*both), weight);
  }
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
  expectClose(*convolution, convolved(c, test::rounded(expected, GetParam()), weight, {}, {}));
  expectClose(*y, expected);
}

}  // namespace
}  // namespace cudnn_resnet::cuda

#endif
