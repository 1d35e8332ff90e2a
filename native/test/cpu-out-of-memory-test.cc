// Whichever of its allocations fails, an operation on the CPU says so, leaves its inputs as they were, can be
// done again, and keeps nothing.
#ifdef CUDNN_RESNET_CPU

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "core/fold.h"
#include "core/recording.h"
#include "cpu/engine.h"
#include "cpu/parallel.h"
#include "engine-tensors.h"
#include "expect-error.h"
#include "float-dtypes.h"
#include "scarce-host-memory.h"

namespace cudnn_resnet::cpu {
namespace {

using test::Bytes;

// Gives `left` more blocks and then none.
class ScarceMemory : public HostMemory {
 public:
  size_t left = SIZE_MAX;
  size_t held = 0;

  void* allocate(size_t bytes) override {
    if (left == 0) {
      return nullptr;
    }
    --left;
    ++held;
    return HostMemory::allocate(bytes);
  }
  void release(void* pointer, size_t bytes) noexcept override {
    --held;
    HostMemory::release(pointer, bytes);
  }
};

// Something to be done, the tensors that it reads and those that it gives values.
struct Trial {
  std::vector<TensorPtr> inputs, outputs;
  std::function<void()> run;
};

class CpuOutOfMemoryTest : public testing::TestWithParam<DType>, protected test::EngineTensors {
 protected:
  CpuOutOfMemoryTest() : EngineTensors(GetParam()) {
    auto scarce = std::make_unique<ScarceMemory>();
    supply_ = scarce.get();
    engine_ = std::make_unique<CpuEngine>(memory_, std::move(scarce));
  }

  // Of a batch norm, as it has them: in float32, and above zero, as a variance is.
  TensorPtr randomParameter(int64_t channels) {
    test::Values values = random({channels});
    std::ranges::transform(values, values.begin(), [](double value) { return std::exp(value); });
    return tensor({channels}, values, DType::Float32);
  }
  // As a weight that a batch norm was folded into.
  TensorPtr scaled(const Shape& shape) {
    const auto y = empty(shape);
    engine_->scaleSlices(std::vector<double>(static_cast<size_t>(shape[0]), 0.5), *randomTensor(shape), *y);
    return y;
  }
  std::vector<Bytes> values(const Trial& trial) {
    std::vector<Bytes> all;
    for (const auto* tensors : {&trial.inputs, &trial.outputs}) {
      for (const auto& x : *tensors) {
        all.push_back(bytesOf(*x));
      }
    }
    return all;
  }

  Trial prepared(const std::function<Trial()>& prepare) {
    stream_ = 0;  // the same values each time
    Trial trial = prepare();
    memory_.allocator->trim();
    return trial;
  }

  // Has the first allocation of what `prepare` gives fail, then the second, and so on. A kept block may serve
  // what would else be an allocation.
  void failAtEach(const std::function<Trial()>& prepare) {
    Trial whole = prepared(prepare);
    whole.run();
    const std::vector<Bytes> expected = values(whole);
    whole = {};
    size_t failures = 0;
    for (bool done = false; !done; ++failures) {
      const Trial trial = prepared(prepare);
      supply_->left = failures;
      try {
        trial.run();
        done = true;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::OutOfMemory) << error.what();
      }
      supply_->left = SIZE_MAX;
      if (!done) {
        trial.run();
      }
      EXPECT_EQ(values(trial), expected) << "where allocation " << failures << " had failed";
    }
    EXPECT_GT(failures, 1U) << "none failed";
    EXPECT_EQ(memory_.use->used, 0U);
    memory_.allocator->trim();
    EXPECT_EQ(supply_->held, 0U);
  }

  Trial convolution(const Conv2dAttributes& a, const Shape& shape, const TensorPtr& weight, bool add) {
    const auto x = randomTensor(shape);
    const auto bias = randomTensor({weight->shape[0]});
    const auto y = empty({shape[0], weight->shape[0], shape[2], shape[3]});
    const auto residual = add ? randomTensor(y->shape) : nullptr;
    Trial trial{{x, weight, bias}, {y}, [=, this] {
                  engine_->conv2d(a, *x, *weight, bias.get(), residual.get(), *y);
                }};
    if (add) {
      trial.inputs.push_back(residual);
    }
    return trial;
  }

  ScarceMemory* supply_ = nullptr;
};

TEST_P(CpuOutOfMemoryTest, Conv2d) {
  for (const bool add : {false, true}) {
    failAtEach([&] { return convolution({}, {2, 3, 5, 7}, randomTensor({5, 3, 1, 1}), add); });
    Conv2dAttributes inGroups;
    inGroups.groups = 2;
    inGroups.activation = Activation::Gelu;
    failAtEach([&] { return convolution(inGroups, {2, 6, 5, 7}, randomTensor({4, 3, 1, 1}), add); });
    failAtEach([&] { return convolution(inGroups, {2, 6, 5, 7}, scaled({4, 3, 1, 1}), add); });
    // in parts of a batch
    Conv2dAttributes fast;
    fast.padding = {1, 1};
    fast.algorithm = ConvAlgorithm::Fast;
    failAtEach([&] { return convolution(fast, {33, 32, 12, 12}, randomTensor({32, 32, 3, 3}), add); });
    failAtEach([&] { return convolution(fast, {33, 32, 12, 12}, scaled({32, 32, 3, 3}), add); });
  }
}

TEST_P(CpuOutOfMemoryTest, Linear) {
  for (const bool fold : {false, true}) {
    failAtEach([&] {
      const auto x = randomTensor({3, 17});
      const auto weight = fold ? scaled({5, 17}) : randomTensor({5, 17});
      const auto bias = randomTensor({5});
      const auto y = empty({3, 5});
      return Trial{{x, weight, bias}, {y}, [=, this] {
                     engine_->linear({Activation::Relu, {}}, *x, *weight, bias.get(), *y);
                   }};
    });
  }
}

// All statistics move, or none does.
TEST_P(CpuOutOfMemoryTest, BatchNorm) {
  for (const bool training : {false, true}) {
    failAtEach([&] {
      const auto x = randomTensor({2, 16, 5, 7});
      const std::vector<TensorPtr> parameters{randomParameter(16), randomParameter(16), randomParameter(16),
                                              randomParameter(16)};
      const auto batches = tensor({}, {41}, DType::Int64);
      const auto y = empty(x->shape);
      Trial trial{parameters, {y}, [=, this] {
                    const BatchNormInputs inputs{*parameters[0], *parameters[1], parameters[2].get(),
                                                 parameters[3].get(), 1e-5};
                    if (training) {
                      engine_->batchNormTraining(inputs, 0.1, batches.get(), *x, *y);
                    } else {
                      engine_->batchNorm(inputs, Activation::Relu, *x, *y);
                    }
                  }};
      trial.inputs.insert(trial.inputs.end(), {x, batches});
      return trial;
    });
  }
}

TEST_P(CpuOutOfMemoryTest, OperationsOnOneTensor) {
  const DType other = GetParam() == DType::Float32 ? DType::Float16 : DType::Float32;
  using Unary = std::function<void(Engine&, Tensor & x, Tensor & y)>;
  const auto check = [this](DType type, const Shape& shape, const Unary& run) {
    failAtEach([&] {
      const auto x = randomTensor({2, 16, 8, 6});
      const auto y = empty(shape, type);
      return Trial{{x}, {y}, [=, this] { run(*engine_, *x, *y); }};
    });
  };
  const Shape same{2, 16, 8, 6};
  check(other, same, [](Engine& engine, Tensor& x, Tensor& y) { engine.cast(x, y); });
  check(GetParam(), {2, 768}, [](Engine& engine, Tensor& x, Tensor& y) { engine.reshape(x, y); });
  check(GetParam(), same, [](Engine& engine, Tensor& x, Tensor& y) { engine.copy(x, y); });
  check(GetParam(), same, [](Engine& engine, Tensor& x, Tensor& y) { engine.softmax(x, y); });
  check(GetParam(), same,
        [](Engine& engine, Tensor& x, Tensor& y) { engine.activate(Activation::Swish, x, y); });
  check(GetParam(), same,
        [](Engine& engine, Tensor& x, Tensor& y) { engine.add(Activation::Relu, x, x, y); });
  check(GetParam(), {2, 16, 4, 3}, [](Engine& engine, Tensor& x, Tensor& y) {
    engine.pool2d({PoolKind::Max, {2, 2}, {2, 2}, {0, 0}}, x, y);
  });
}

TEST_P(CpuOutOfMemoryTest, FoldingABatchNorm) {
  for (const bool packed : {false, true}) {
    failAtEach([&] {
      const auto weight = randomTensor({32, 32, 3, 3});
      if (packed) {
        convolution({}, {1, 32, 4, 4}, weight, false).run();
      }
      const std::vector<TensorPtr> statistics{randomParameter(32), randomParameter(32)};
      const auto folded = empty(weight->shape);
      const auto bias = empty({32}, DType::Float32);
      return Trial{{weight, statistics[0], statistics[1]}, {folded, bias}, [=, this] {
                     foldBatchNorm(*engine_, {*statistics[0], *statistics[1], nullptr, nullptr, 1e-5},
                                   *weight, nullptr, *folded, *bias);
                   }};
    });
  }
}

TEST_P(CpuOutOfMemoryTest, Programs) {
  for (const bool captured : {false, true}) {
    failAtEach([&] {
      const auto weight = scaled({32, 32, 3, 3});
      const auto last = randomTensor({5, 32 * 144});
      const auto recording = std::make_shared<Recording>();
      const Shape shape{1, 32, 12, 12};
      const auto x = recording->input(shape, GetParam());
      const auto y = empty(shape);
      const auto sum = empty(shape);
      const auto row = empty({1, 32 * 144});
      const auto z = empty({1, 5});
      Conv2dAttributes a;
      a.padding = {1, 1};
      a.algorithm = ConvAlgorithm::Fast;
      recording->append(
          {{x, weight}, {y}, [=](Engine& e) { e.conv2d(a, *x, *weight, nullptr, nullptr, *y); }, true});
      recording->append({{y, weight, x},
                         {sum},
                         [=](Engine& e) { e.conv2d(a, *y, *weight, nullptr, x.get(), *sum); },
                         true});
      recording->append({{sum}, {row}, [=](Engine& e) { e.reshape(*sum, *row); }, true});
      recording->append({{row, last}, {z}, [=](Engine& e) { e.linear({}, *row, *last, nullptr, *z); }, true});
      const auto program = recording->end({z, sum});

      const auto argument = randomTensor(shape);
      Trial trial{{argument, weight, last}, {}, {}};
      const auto run = [=, this](const std::vector<TensorPtr>& results) {
        program->run(*engine_, {argument}, results, Cancellation());
      };
      if (captured) {
        run({empty({1, 5}), empty(shape)});
      }
      trial.outputs = {empty({1, 5}), empty(shape)};
      trial.run = [=, results = trial.outputs] { run(results); };
      return trial;
    });
  }
}

// oneDNN writes to where it could not get memory for the code that it generates.
TEST_P(CpuOutOfMemoryTest, NoCodeIsGeneratedWhereItMightNotFit) {
  const auto x = randomTensor({2, 16, 5, 7});
  const auto y = empty(x->shape);
  {
    const test::LittleAddressSpace little(size_t{4} << 20U);
    test::expectError(ErrorCode::OutOfMemory, [&] { engine_->activate(Activation::Gelu, *x, *y); });
  }
  engine_->activate(Activation::Gelu, *x, *y);
}

// OpenMP ends the process where it gets none.
TEST(CpuThreads, AreNotBegunWithoutMemory) {
  if (!test::NoHostMemory::possible) {
    GTEST_SKIP() << "not under sanitizers";
  }
  bool refused = false;
  try {
    const test::NoHostMemory none;
    parallel(1, [](size_t, size_t) {});
  } catch (const std::bad_alloc&) {
    refused = true;
  }
  EXPECT_TRUE(refused);
}

// A device that cannot be opened for any other reason is lost.
TEST(CpuEngine, IsNotOpenedWithoutMemory) {
  if (!test::NoHostMemory::possible) {
    GTEST_SKIP() << "not under sanitizers";
  }
  EngineMemory memory;
  auto raw = std::make_unique<HostMemory>();
  std::shared_ptr<const Error> error;
  {
    const test::NoHostMemory none;
    try {
      const CpuEngine engine(memory, std::move(raw));
    } catch (...) {
      error = sharedCurrentError();
    }
  }
  ASSERT_NE(error, nullptr);
  EXPECT_EQ(error->code(), ErrorCode::OutOfMemory) << error->what();
}

INSTANTIATE_TEST_SUITE_P(DTypes, CpuOutOfMemoryTest, test::floatDTypes, test::dtypeName);

}  // namespace
}  // namespace cudnn_resnet::cpu

#endif
