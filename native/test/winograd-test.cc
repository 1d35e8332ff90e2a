#ifdef CUDNN_RESNET_CPU
#include "cpu/winograd.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "core/random.h"
#include "cpu/engine.h"

namespace cudnn_resnet::cpu {
namespace {

using dnnl::memory;

// Images, their extent, input and output channels: the layouts of both sizes of tiles, with blocks that
// stand together in several numbers.
constexpr std::array<std::array<int64_t, 4>, 15> convolutions{{{1, 56, 64, 64},
                                                               {1, 28, 128, 128},
                                                               {1, 28, 32, 48},
                                                               {8, 28, 32, 48},
                                                               {1, 14, 256, 256},
                                                               {8, 14, 256, 256},
                                                               {1, 7, 512, 512},
                                                               {8, 16, 512, 512},
                                                               {3, 12, 16, 16},
                                                               {2, 9, 144, 160},
                                                               {8, 33, 80, 64},
                                                               {1, 112, 16, 32},
                                                               {16, 20, 64, 192},
                                                               {4, 100, 128, 48},
                                                               {32, 7, 192, 384}}};

// The weights' layout of such a convolution.
Layout weightsLayout(const dnnl::engine& engine, int64_t images, int64_t extent, int64_t in, int64_t out) {
  const auto layout = [](const memory::dims& dims, memory::format_tag tag) {
    return Layout(dims, memory::data_type::f32, tag);
  };
  return describe<dnnl::convolution_forward>(
             engine, {}, prop_kind::forward_inference, algorithm::convolution_winograd,
             layout({images, in, extent, extent}, memory::format_tag::nChw16c),
             layout({out, in, 3, 3}, memory::format_tag::any), Layout(),
             layout({images, out, extent, extent}, memory::format_tag::nChw16c), memory::dims{1, 1},
             memory::dims{0, 0}, memory::dims{1, 1}, memory::dims{1, 1})
      .weights_desc();
}

TEST(WinogradWeights, AreThoseOfOnednn) {
  dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  uint32_t draws = 0;
  for (const auto& [images, extent, in, out] : convolutions) {
    SCOPED_TRACE(std::to_string(images) + " images of " + std::to_string(extent) + ", " + std::to_string(in) +
                 " to " + std::to_string(out));
    Layout layout;
    try {
      layout = weightsLayout(engine, images, extent, in, out);
    } catch (const dnnl::error&) {
      GTEST_SKIP() << "this oneDNN has no Winograd's transform for this processor";
    }
    ASSERT_TRUE(knowsWeights(layout));
    std::vector<float> weights(static_cast<size_t>(in * out * 9));
    fillNormal({7, draws++}, 0, 1, weights);
    memory given({{out, in, 3, 3}, memory::data_type::f32, memory::format_tag::oihw}, engine, weights.data());
    memory expected(layout, engine);
    dnnl::reorder(given, expected).execute(stream, given, expected);
    stream.wait();
    std::vector<float> made(layout.get_size() / sizeof(float), std::numeric_limits<float>::quiet_NaN());
    transformWeights(weights.data(), layout, made.data());
    const auto* values = static_cast<const float*>(expected.get_data_handle());
    for (size_t i = 0; i < made.size(); ++i) {
      ASSERT_NEAR(made[i], values[i], 2e-6) << "element " << i;
    }
  }
}

// Finds what is written behind a block.
class GuardedMemory : public HostMemory {
 public:
  void* allocate(size_t bytes) override {
    void* const block = HostMemory::allocate(bytes + guard);
    std::memset(static_cast<std::byte*>(block) + bytes, mark, guard);
    return block;
  }
  void release(void* block, size_t bytes) noexcept override {
    const auto* behind = static_cast<const unsigned char*>(block) + bytes;
    EXPECT_TRUE(std::all_of(behind, behind + guard, [](unsigned char byte) { return byte == mark; }));
    HostMemory::release(block, bytes + guard);
  }

 private:
  static constexpr size_t guard = size_t{1} << 20U;
  static constexpr unsigned char mark = 90;
};

TEST(WinogradImages, AreNotMoreThanThereAreWhereFewAreLeft) {
  const int64_t together = imagesToTransform(100, 64, 64);
  ASSERT_LT(together, 100);
  EngineMemory memory;
  CpuEngine engine(memory, std::make_unique<GuardedMemory>());
  Tensor x({together + 1, 64, 14, 14}, DType::Float32);
  Tensor weight({64, 64, 3, 3}, DType::Float32);
  Tensor y(x.shape, x.dtype);
  engine.zeros(x);
  engine.zeros(weight);
  Conv2dAttributes attributes;
  attributes.padding = {1, 1};
  attributes.algorithm = ConvAlgorithm::Fast;
  engine.conv2d(attributes, x, weight, nullptr, nullptr, y);
}

// Of enough images that the larger tiles would be taken, in which integers do not come out exact.
TEST(WinogradImages, AreConvolvedDirectlyWhereThatIsAskedFor) {
  constexpr int64_t images = 8, extent = 28, in = 32, out = 48;
  EngineMemory memory;
  CpuEngine engine(memory);
  std::minstd_rand random(1);
  const auto integers = [&](Tensor& tensor) {
    std::vector<float> values(static_cast<size_t>(tensor.size()));
    std::ranges::generate(values, [&] { return static_cast<float>(static_cast<int>(random() % 33) - 16); });
    engine.upload(values.data(), tensor);
    return values;
  };
  Tensor x({images, in, extent, extent}, DType::Float32);
  Tensor weight({out, in, 3, 3}, DType::Float32);
  Tensor y({images, out, extent, extent}, DType::Float32);
  const std::vector<float> given = integers(x);
  const std::vector<float> weights = integers(weight);
  Conv2dAttributes attributes;
  attributes.padding = {1, 1};
  attributes.algorithm = ConvAlgorithm::Direct;
  engine.conv2d(attributes, x, weight, nullptr, nullptr, y);
  std::vector<float> values(static_cast<size_t>(y.size()));
  engine.download(y, values.data());
  // the last image's last channel
  for (int64_t row = 1; row + 1 < extent; ++row) {
    for (int64_t column = 1; column + 1 < extent; ++column) {
      float expected = 0;
      for (int64_t channel = 0; channel < in; ++channel) {
        for (int64_t tap = 0; tap < 9; ++tap) {
          const int64_t line = ((images - 1) * in + channel) * extent + row - 1 + tap / 3;
          expected += given[static_cast<size_t>(line * extent + column - 1 + tap % 3)] *
                      weights[static_cast<size_t>(((out - 1) * in + channel) * 9 + tap)];
        }
      }
      const int64_t line = (images * out - 1) * extent + row;
      ASSERT_EQ(values[static_cast<size_t>(line * extent + column)], expected) << row << ", " << column;
    }
  }
}

TEST(WinogradWeights, OthersAreOnednns) {
  EXPECT_FALSE(knowsWeights({{16, 16, 3, 3}, memory::data_type::f32, memory::format_tag::oihw}));
}

}  // namespace
}  // namespace cudnn_resnet::cpu
#endif
