// Programs on the CPU that read a weight in several ways.
#ifdef CUDNN_RESNET_CPU

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "core/recording.h"
#include "cpu/engine.h"
#include "engine-tensors.h"
#include "least-arena.h"

namespace cudnn_resnet::cpu {
namespace {

using test::Bytes;
using test::Values;

class CpuProgramTest : public testing::Test, protected test::EngineTensors {
 protected:
  CpuProgramTest() { engine_ = std::make_unique<CpuEngine>(memory_); }

  // y = convolution(x, weight) of 3×3.
  static Operation convolution(const TensorPtr& x, const TensorPtr& weight, const TensorPtr& y,
                               ConvAlgorithm algorithm) {
    Conv2dAttributes attributes;
    attributes.padding = {1, 1};
    attributes.algorithm = algorithm;
    return {{x, weight},
            {y},
            [=](Engine& engine) { engine.conv2d(attributes, *x, *weight, nullptr, nullptr, *y); },
            true};
  }
};

// Notes what a capture is planned by.
class TracedEngine : public CpuEngine {
 public:
  explicit TracedEngine(EngineMemory& memory) : CpuEngine(memory), allocator_(memory.allocator) {}

  std::unique_ptr<Replay> capture(const Work& work) override {
    const auto warm = CpuEngine::capture(work);  // weights get their layouts
    return CpuEngine::capture([&] {
      if (traced.empty()) {
        traced = allocator_->trace(work);
      } else {
        work();
      }
    });
  }

  std::vector<Lifetime> traced;

 private:
  std::shared_ptr<CachingAllocator> allocator_;
};

// Two blocks of ResNet-50 as lib/models/bottleneck.ts has them: the first, from 256 to 512 channels with a
// stride of 2, convolves its shortcut right before its last convolution, which adds it; the second hands its
// input on.
TEST_F(CpuProgramTest, BlocksHoldNaNUntilTheyAreWritten) {
  for (int use = 0; use < 2; ++use) {  // the second time a kept one
    const Block block = memory_.allocator->allocate(1000);
    const std::span bytes(static_cast<const std::byte*>(block.get()), block.bytes());
    EXPECT_TRUE(std::ranges::all_of(bytes, [](std::byte byte) { return byte == std::byte{poison}; }));
    std::memset(block.get(), 0, block.bytes());
  }
}

TEST_F(CpuProgramTest, AnArenaOfBlocksNeedsLittleMoreThanTheLeast) {
  for (const ConvAlgorithm algorithm : {ConvAlgorithm::Fast, ConvAlgorithm::Direct}) {
    TracedEngine traced(memory_);
    const auto upload = [&](const Shape& shape) {
      const auto y = empty(shape);
      const Bytes bytes = test::encoded(random(shape), y->dtype);
      traced.upload(bytes.data(), *y);
      return y;
    };
    const auto recording = std::make_shared<Recording>();
    const auto convolve = [&](const TensorPtr& x, int64_t channels, int64_t kernel, int64_t stride,
                              Activation activation, const TensorPtr& add) {
      Conv2dAttributes attributes;
      attributes.stride = {stride, stride};
      attributes.padding = {kernel / 2, kernel / 2};
      attributes.algorithm = algorithm;
      attributes.activation = activation;
      const auto weight = upload({channels, x->shape[1], kernel, kernel});
      const auto bias = upload({channels});
      const auto y = empty({x->shape[0], channels, x->shape[2] / stride, x->shape[3] / stride});
      std::vector<TensorPtr> inputs{x, weight, bias};
      if (add) {
        inputs.push_back(add);
      }
      recording->append(
          {inputs,
           {y},
           [=](Engine& engine) { engine.conv2d(attributes, *x, *weight, bias.get(), add.get(), *y); },
           true});
      return y;
    };
    const auto block = [&](const TensorPtr& x, int64_t width, int64_t stride, bool downsample) {
      const auto reduced = convolve(x, width, 1, 1, Activation::Relu, nullptr);
      const auto convolved = convolve(reduced, width, 3, stride, Activation::Relu, nullptr);
      const auto shortcut = downsample ? convolve(x, 4 * width, 1, stride, Activation::None, nullptr) : x;
      return convolve(convolved, 4 * width, 1, 1, Activation::Relu, shortcut);
    };
    const Shape shape{1, 256, 56, 56};
    const auto y = block(block(recording->input(shape, DType::Float32), 128, 2, true), 128, 1, false);
    const auto program = recording->end({y});
    program->run(traced, {upload(shape)}, {empty(y->shape)}, Cancellation());

    ASSERT_GE(traced.traced.size(), 6U);
    const ArenaPlan plan = planArena(traced.traced);
    EXPECT_LE(static_cast<double>(plan.bytes), 1.1 * static_cast<double>(test::leastArena(traced.traced)));
  }
}

// As a network that sees an image at several scales: each wants the weight in a layout of its own.
TEST_F(CpuProgramTest, ReadsAWeightInMoreLayoutsThanAreKeptWithIt) {
  const auto weight = randomTensor({64, 64, 3, 3});
  const auto recording = std::make_shared<Recording>();
  std::vector<TensorPtr> outputs, arguments, results;
  std::vector<Values> expected;
  for (const auto& [images, side] :
       std::vector<std::pair<int64_t, int64_t>>{{1, 12}, {1, 14}, {1, 16}, {1, 28}, {1, 112}, {4, 14}}) {
    const Shape shape{images, 64, side, side};
    outputs.push_back(empty(shape));
    recording->append(
        convolution(recording->input(shape, DType::Float32), weight, outputs.back(), ConvAlgorithm::Fast));
    arguments.push_back(randomTensor(shape));
    results.push_back(empty(shape));
    const auto eager = empty(shape);
    convolution(arguments.back(), weight, eager, ConvAlgorithm::Fast).run(*engine_);
    expected.push_back(read(*eager));
  }
  const auto program = recording->end(outputs);
  for (int run = 0; run < 2; ++run) {
    program->run(*engine_, arguments, results, Cancellation());
    for (size_t i = 0; i < results.size(); ++i) {
      EXPECT_EQ(read(*results[i]), expected[i]) << "run " << run << ", result " << i;
    }
    std::vector<TensorPtr> others;  // in memory that was freed meanwhile
    for (int i = 0; i < 6; ++i) {
      others.push_back(randomTensor({64, 64, 4, 4}));
      others.push_back(randomTensor({64, 64, 6, 6}));
    }
  }
}

// The first convolution has the weight kept in blocks, so that the activation before it then gives blocks
// too, and the second needs no block of memory to arrange them in. All blocks are of one size.
TEST_F(CpuProgramTest, ReadsAWeightInOrderBeforeItIsPacked) {
  const auto weight = randomTensor({32, 32, 3, 3});
  const Shape shape{1, 32, 12, 24};
  const auto recording = std::make_shared<Recording>();
  const auto x = recording->input(shape, DType::Float32);
  const auto bent = empty(weight->shape);
  std::vector<TensorPtr> chain{x};
  std::vector<Operation> operations{
      {{weight}, {bent}, [=](Engine& engine) { engine.activate(Activation::Tanh, *weight, *bent); }, true}};
  for (const auto& by : {weight, bent, bent, weight}) {
    const auto from = chain.back();
    chain.push_back(empty(shape));
    operations.push_back(convolution(from, by, chain.back(), ConvAlgorithm::Direct));
  }
  const auto argument = randomTensor(shape);
  engine_->copy(*argument, *x);
  for (const auto& operation : operations) {
    operation.run(*engine_);
  }
  const std::vector<TensorPtr> outputs(chain.begin() + 1, chain.end());
  std::vector<Values> expected;
  for (const auto& output : outputs) {
    expected.push_back(read(*output));
  }

  for (auto& operation : operations) {
    recording->append(std::move(operation));
  }
  // as it was before it was packed
  const auto inOrder = bytesOf(*weight);
  engine_->upload(inOrder.data(), *weight);
  const auto program = recording->end(outputs);
  for (int run = 0; run < 2; ++run) {
    std::vector<TensorPtr> results;
    for (size_t i = 0; i < outputs.size(); ++i) {
      results.push_back(empty(shape));
    }
    program->run(*engine_, {argument}, results, Cancellation());
    for (size_t i = 0; i < results.size(); ++i) {
      EXPECT_EQ(read(*results[i]), expected[i]) << "run " << run << ", result " << i;
    }
  }
}

// What is captured is computed at each run, in memory that other values may have been written to.
TEST_F(CpuProgramTest, MakesZerosAnewAtEachRun) {
  Tensor x({1000}, DType::Float32);
  engine_->zeros(x);
  Tensor y({1000}, DType::Float32);
  const auto replay = engine_->capture([&] {
    Tensor z({1000}, DType::Float32);
    engine_->zeros(z);
    engine_->add(Activation::None, x, z, y);
    engine_->activate(Activation::Sigmoid, z, z);
  });
  for (int run = 0; run < 3; ++run) {
    replay->run(Cancellation());
    EXPECT_EQ(read(y), Values(1000, 0)) << run;
  }
}

TEST_F(CpuProgramTest, StopsOnceItIsCancelled) {
  Tensor x({1000}, DType::Float32);
  const std::vector<float> ones(1000, 1);
  engine_->upload(ones.data(), x);
  const auto replay = engine_->capture([&] { engine_->activate(Activation::Tanh, x, x); });
  engine_->upload(ones.data(), x);
  Cancellation cancellation;
  cancellation.cancel();
  EXPECT_THROW(replay->run(cancellation), Error);
}

TEST_F(CpuProgramTest, PacksAWeightAnewThatAnotherWasCopiedInto) {
  const auto x = randomTensor({1, 64, 28, 28});
  const auto weight = randomTensor({64, 64, 3, 3});
  const auto y = empty(x->shape);
  const Operation convolve = convolution(x, weight, y, ConvAlgorithm::Fast);
  convolve.run(*engine_);
  const auto other = randomTensor(weight->shape);
  engine_->copy(*other, *weight);
  convolve.run(*engine_);
  const auto expected = empty(x->shape);
  convolution(x, other, expected, ConvAlgorithm::Fast).run(*engine_);
  EXPECT_EQ(read(*y), read(*expected));
}

}  // namespace
}  // namespace cudnn_resnet::cpu

#endif
