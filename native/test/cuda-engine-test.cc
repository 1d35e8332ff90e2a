#ifdef CUDNN_RESNET_CUDA

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "activated.h"
#include "core/recording.h"
#include "cuda-engine-test.h"
#include "expect-error.h"
#include "float-dtypes.h"

namespace cudnn_resnet::cuda {
namespace {

TEST_P(CudaEngineTest, MovesDataUnchangedThroughEveryLayout) {
  const Shape shape{2, 5, 7, 3};
  const Values x = random(shape);
  const auto held = tensor(shape, x);
  EXPECT_EQ(read(*held), x);
  EXPECT_EQ(read(*channelsLast(held)), x);
  const auto y = empty(shape);
  engine_->pool2d({PoolKind::Max, {1, 1}, {1, 1}, {0, 0}}, *held, *y);
  EXPECT_EQ(read(*y), x);
  EXPECT_EQ(read(*held), x);
  const auto flat = empty({2, 105});
  engine_->reshape(*held, *flat);
  EXPECT_EQ(read(*flat), x);
  const auto none = empty(shape);
  engine_->zeros(*none);
  EXPECT_EQ(read(*none), Values(x.size(), 0.0));
  for (const DType other : {DType::Float32, DType::Float16, DType::BFloat16}) {
    const auto cast = empty(shape, other);
    engine_->cast(*held, *cast);
    EXPECT_EQ(read(*cast), test::rounded(x, other));
  }
}

TEST_P(CudaEngineTest, ATensorIsGivenItsOwnValues) {
  const Shape shape{2, 3, 4, 5};
  const Values values = random(shape);
  const auto x = tensor(shape, values);
  engine_->reshape(*x, *x);
  EXPECT_EQ(read(*x), values);
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
        expected.push_back(test::activated(activation, a[i]));
        sums.push_back(test::activated(activation, a[i] + b[i]));
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

// Where it is not, programs would run operation by operation, and only be slower.
TEST_P(CudaEngineTest, CapturesWhatANetworkIsMadeOf) {
  const Shape shape{2, 3, 16, 16};
  const auto x = empty(shape);
  const auto weight = randomTensor({16, 3, 3, 3});
  const auto bias = tensor({16}, random({16}), DType::Float32);
  const auto again = randomTensor({16, 16, 1, 1});
  const auto classes = randomTensor({10, 16});
  const auto y = empty({2, 10});
  const auto work = [&](Engine& engine) {
    Conv2dAttributes first;
    first.padding = {1, 1};
    first.activation = Activation::Relu;
    Conv2dAttributes second;
    second.activation = Activation::Relu;
    const auto a = empty({2, 16, 16, 16});
    const auto b = empty({2, 16, 8, 8});
    const auto c = empty({2, 16, 8, 8});
    const auto d = empty({2, 16, 1, 1});
    const auto e = empty({2, 16});
    const auto f = empty({2, 10});
    engine.conv2d(first, *x, *weight, bias.get(), nullptr, *a);
    engine.pool2d({PoolKind::Max, {3, 3}, {2, 2}, {1, 1}}, *a, *b);
    engine.conv2d(second, *b, *again, bias.get(), b.get(), *c);
    engine.pool2d({PoolKind::AverageIncludingPadding, {8, 8}, {1, 1}, {0, 0}}, *c, *d);
    engine.reshape(*d, *e);
    engine.linear({}, *e, *classes, nullptr, *f);
    engine.copy(*f, *y);
  };
  // Replays read and write these in their places.
  engine_->zeros(*x);
  engine_->zeros(*y);
  const auto none = tensor({2, 10}, Values(20, 0.0));
  const auto replay = engine_->capture([&] { work(*engine_); });
  for (int run = 0; run < 3; ++run) {
    engine_->copy(*randomTensor(shape), *x);
    work(*engine_);
    const Values expected = read(*y);
    engine_->copy(*none, *y);
    replay->run(Cancellation());
    EXPECT_EQ(read(*y), expected);
  }
}

TEST_P(CudaEngineTest, AConstantThatIsWantedInTwoLayoutsKeepsItsValues) {
  const Shape shape{2, 3, 4, 4};
  const Values values = random(shape);
  const auto constant = tensor(shape, values);
  const auto weight = randomTensor({8, 3, 1, 1});
  const auto activated = empty(shape);
  engine_->zeros(*activated);
  const auto work = [&](Engine& engine) {
    const auto convolved = empty({2, 8, 4, 4});
    Conv2dAttributes padded;
    padded.compute.tf32 = true;
    engine.conv2d(padded, *constant, *weight, nullptr, nullptr, *convolved);
    const auto inner = empty(shape);
    engine.activate(Activation::None, *constant, *inner);
    engine.copy(*inner, *activated);
  };
  std::vector<TensorPtr> others;
  const auto writeWhereNothingIsHeld = [&] {
    for (int i = 0; i < 16; ++i) {
      engine_->zeros(*others.emplace_back(empty(shape)));
    }
  };
  std::unique_ptr<Replay> replay;
  try {
    replay = engine_->capture(
        [&] { work(*engine_); });  // as it does where the operations work on copies in float32
  } catch (const Error&) {
  }
  writeWhereNothingIsHeld();
  if (replay) {
    replay->run(Cancellation());
  } else {
    work(*engine_);
  }
  EXPECT_EQ(read(*activated), values);
  replay.reset();
  engine_->trim();
  writeWhereNothingIsHeld();
  EXPECT_EQ(read(*constant), values);
}

// What a constant is kept in is known once all operations have asked for it, and with it what is made of
// others.
TEST_P(CudaEngineTest, CapturesWhatTakesTwoRunsToSettle) {
  const Shape shape{1, 16, 4, 4};
  const Values values = random(shape);
  const Values others = random(shape);
  const auto constant = tensor(shape, values);
  const auto other = tensor(shape, others);
  const auto weight = randomTensor({16, 16, 1, 1});
  const auto sum = empty(shape);
  engine_->zeros(*sum);
  const auto work = [&] {
    const auto pooled = empty(shape);
    const auto added = empty(shape);
    const auto convolved = empty(shape);
    Conv2dAttributes channelsLast;
    channelsLast.compute.tf32 = true;
    engine_->pool2d({PoolKind::Max, {1, 1}, {1, 1}, {0, 0}}, *constant, *pooled);
    engine_->add(Activation::None, *pooled, *other, *added);
    engine_->conv2d(channelsLast, *constant, *weight, nullptr, nullptr, *convolved);
    engine_->copy(*added, *sum);
  };
  std::unique_ptr<Replay> replay;
  for (int attempt = 0; attempt < 2 && !replay; ++attempt) {
    try {
      replay = engine_->capture(work);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::Backend) << error.what();
    }
  }
  ASSERT_TRUE(replay);
  replay->run(Cancellation());
  Values expected;
  for (size_t i = 0; i < values.size(); ++i) {
    expected.push_back(values[i] + others[i]);
  }
  expectClose(*sum, expected);
}

// One that cannot be captured reads its arguments where they are.
TEST_P(CudaEngineTest, AProgramTakesOneOfItsConstants) {
  const Shape shape{8, 3, 3, 3};
  const Values values = random(shape);
  const auto constant = tensor(shape, values);
  const auto image = randomTensor({1, 3, 5, 5});
  const auto recording = std::make_shared<Recording>();
  const auto x = recording->input(shape, GetParam());
  const auto convolved = empty({1, 8, 3, 3});
  const auto activated = empty(shape);
  const auto same = empty(shape);
  const auto convolve = [=](Engine& engine) {
    Conv2dAttributes padded;
    padded.compute.tf32 = true;
    engine.conv2d(padded, *image, *constant, nullptr, nullptr, *convolved);
  };
  recording->append({{image, constant}, {convolved}, convolve, true});
  recording->append({{constant},
                     {activated},
                     [=](Engine& engine) { engine.activate(Activation::None, *constant, *activated); },
                     true});
  recording->append(
      {{x}, {same}, [=](Engine& engine) { engine.activate(Activation::None, *x, *same); }, true});
  const auto program = recording->end({same, convolved});
  const auto result = empty(shape);
  program->run(*engine_, {constant}, {result, empty({1, 8, 3, 3})}, Cancellation());
  EXPECT_EQ(read(*result), values);
}

TEST_P(CudaEngineTest, ScalesSlicesInFloat64) {
  const Shape shape{5, 3, 7, 1};
  const Values values = random(shape);
  const auto x = tensor(shape, values);
  const auto y = empty(shape);
  const std::vector<double> factors{0.1, 3, -7.7, 1e-3, 1e6 / 3};
  engine_->scaleSlices(factors, *x, *y);
  test::Bytes expected = test::encoded(values, GetParam());
  for (size_t slice = 0; slice < 5; ++slice) {
    std::byte* const first = expected.data() + slice * expected.size() / 5;
    scaleElements(first, factors[slice], first, GetParam(), 21);
  }
  EXPECT_EQ(bytesOf(*y), expected);
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
  { const auto x = randomTensor({3, 1000}); }
  engine_->trim();
  EXPECT_EQ(memory_.use->used, before);
  memory_.use->limit = memory_.use->reserved + 1000;
  const auto large = empty({1000, 1000});
  test::expectError(ErrorCode::OutOfMemory, [&] { engine_->zeros(*large); });
  memory_.use->limit = SIZE_MAX;
  engine_->zeros(*large);
  engine_->synchronize();
}

INSTANTIATE_TEST_SUITE_P(DTypes, CudaEngineTest, test::floatDTypes, test::dtypeName);

}  // namespace
}  // namespace cudnn_resnet::cuda

#endif
