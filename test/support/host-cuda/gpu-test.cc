// What only an emulated GPU shows at will: that it is full, that it is lost, and what it is asked for.
#include "gpu.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/device.h"
#include "core/recording.h"
#include "cuda/backend.h"
#include "test/outcome.h"

namespace cudnn_resnet::cuda {
namespace {

using host_cuda::gpu;

class EmulatedGpuTest : public testing::Test {
 protected:
  void SetUp() override { gpu.mend(); }
  void TearDown() override {
    device_.reset();
    EXPECT_EQ(gpu.used, 0U) << "memory of the GPU was not given back";
  }

  Device& device() {
    if (!device_) {
      useDevice(backend().devices.at(0));
    }
    return *device_;
  }
  void useDevice(const DeviceDescription& description) { device_ = std::make_unique<Device>(description); }
  static TensorPtr tensor(Shape shape, DType dtype = DType::Float32) {
    return std::make_shared<Tensor>(std::move(shape), dtype);
  }
  // Freed by the queue's thread, whoever drops it last.
  TensorPtr zeros(const Shape& shape, DType dtype = DType::Float32) {
    auto y = tensor(shape, dtype);
    device().submit({{}, {y}, [y](Engine& engine) { engine.zeros(*y); }});
    Tensor* const pointer = y.get();
    return {pointer, [&owner = device(), y = std::move(y)](Tensor*) mutable { owner.release(std::move(y)); }};
  }
  // What running it on the queue's thread ends with.
  Outcome outcome(std::function<void(Engine&)> run) { return test::outcomeOf(device(), std::move(run)); }
  Outcome read(const TensorPtr& x) {
    std::vector<std::byte> data(x->bytes());
    return test::readOutcome(device(), x, [&](Engine& engine) { return engine.fetch(*x, data.data()); });
  }
  static void expect(ErrorCode code, const Outcome& outcome) {
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->code(), code) << outcome->what();
  }

 private:
  std::unique_ptr<Device> device_;
};

TEST_F(EmulatedGpuTest, IsUsedFromTuringOn) {
  for (const int capability : {37, 70, 72, 75, 80, 120}) {
    gpu.capability = capability;
    const Backend found = backend();
    EXPECT_EQ(found.devices.size(), capability >= 75 ? 1U : 0U) << capability;
    const bool refused =
        found.report().find("not used: its compute capability is below 7.5") != std::string::npos;
    EXPECT_EQ(refused, capability < 75) << found.report();
  }
}

// Work for the one, from whatever thread, is given to the one alone: the emulation ends the process else.
TEST_F(EmulatedGpuTest, OneOfSeveralComputes) {
  gpu.count = 3;
  const std::vector<DeviceDescription> found = backend().devices;
  ASSERT_EQ(found.size(), 3U);
  for (const size_t index : {2, 0, 1}) {
    EXPECT_EQ(found[index].id, "cuda:" + std::to_string(index));
    useDevice(found[index]);
    const auto x = zeros({4});
    EXPECT_FALSE(read(x));
    EXPECT_FALSE(outcome([&](Engine& engine) {
      const std::vector<float> values(4, 1);
      engine.upload(values.data(), *x);
      const auto replay = engine.capture([&] {
        Tensor y({4}, DType::Float32);
        engine.add(Activation::Relu, *x, *x, y);
      });
      replay->run(Cancellation());
    }));
    EXPECT_FALSE(read(x));
  }
}

constexpr int64_t megabyte = int64_t{1} << 18;  // elements of float32

TEST_F(EmulatedGpuTest, GoesOnAfterItWasFull) {
  gpu.memory = 10 << 20;
  auto held = zeros({6 * megabyte});
  EXPECT_FALSE(read(held));
  auto tooMuch = zeros({5 * megabyte});
  expect(ErrorCode::OutOfMemory, read(tooMuch));
  EXPECT_FALSE(read(held)) << "what was there before is still good";
  EXPECT_FALSE(read(zeros({2 * megabyte})));
  held.reset();
  EXPECT_FALSE(read(zeros({5 * megabyte}))) << "kept blocks of other sizes are given back first";
}

// Plans and graphs want memory that is none of a tensor's: what is kept for reuse is given back for it.
TEST_F(EmulatedGpuTest, GivesBackWhatItKeepsForPlansAndGraphs) {
  gpu.memory = 100 << 20;
  gpu.code = 50 << 20;
  EXPECT_FALSE(outcome([](Engine& engine) {
    const auto keepMuch = [&] {
      Tensor x({60 * megabyte}, DType::Float32);
      engine.zeros(x);
    };
    Tensor x({1, 8, 4, 4}, DType::Float32), weight({8, 8, 1, 1}, DType::Float32);
    engine.zeros(x);
    engine.zeros(weight);
    for (const char* step : {"making a plan", "running it"}) {
      keepMuch();
      Tensor y(x.shape, x.dtype);
      EXPECT_NO_THROW(engine.conv2d({}, x, weight, nullptr, nullptr, y)) << step;
    }
    std::unique_ptr<Replay> replay;
    keepMuch();
    ASSERT_NO_THROW(replay = engine.capture([&] {
      Tensor y(x.shape, x.dtype);
      engine.activate(Activation::Relu, x, y);
    }));
    keepMuch();
    EXPECT_NO_THROW(replay->run(Cancellation()));
  }));
}

// An upload can do without memory to land in.
TEST_F(EmulatedGpuTest, ProgramsStayCapturedWhereUploadsHaveNoRoomToLand) {
  const auto x = zeros({4});
  const auto recording = std::make_shared<Recording>();
  const auto input = recording->input({4}, DType::Float32);
  const auto output = tensor({4});
  int notCaptured = 0;
  recording->append({{input},
                     {output},
                     [=, &notCaptured](Engine& engine) {
                       ++notCaptured;
                       engine.activate(Activation::Relu, *input, *output);
                     },
                     true});
  auto program = recording->end({output});
  const auto run = [&] {
    auto y = tensor({4});
    device().run(program, {x}, {y});
    EXPECT_FALSE(read(y));
    device().release(std::move(y));
  };
  run();
  const int before = notCaptured;
  gpu.memory = gpu.used + (1 << 20);
  EXPECT_FALSE(outcome([](Engine& engine) {
    const std::vector<float> values(static_cast<size_t>(megabyte));
    for (int i = 0; i < 3; ++i) {
      Tensor large({megabyte}, DType::Float32);
      engine.upload(values.data(), large);
    }
  }));
  run();
  EXPECT_EQ(notCaptured, before);
  device().release(std::move(program));
}

TEST_F(EmulatedGpuTest, OpensLaterWhereItWasFullAtTheStart) {
  gpu.answer = cudaErrorMemoryAllocation;  // other processes have it all
  expect(ErrorCode::OutOfMemory, read(zeros({4})));
  gpu.answer = cudaSuccess;
  EXPECT_FALSE(read(zeros({4})));
}

// cuDNN says nothing of memory there.
TEST_F(EmulatedGpuTest, OpensLaterWhereCudnnFoundItNearlyFull) {
  gpu.opens = false;
  gpu.memory = 10 << 20;
  expect(ErrorCode::OutOfMemory, read(zeros({4})));
  gpu.mend();
  EXPECT_FALSE(read(zeros({4})));
}

TEST_F(EmulatedGpuTest, StaysLostOnceItIs) {
  const auto before = zeros({4});
  EXPECT_FALSE(read(before));
  for (const cudaError_t sticky : {cudaErrorIllegalAddress, cudaErrorLaunchFailure}) {
    gpu.answer = sticky;
    expect(ErrorCode::DeviceLost, read(zeros({4})));
    gpu.answer = cudaSuccess;
    expect(ErrorCode::DeviceLost, read(before));
    expect(ErrorCode::DeviceLost, outcome([](Engine& engine) { engine.synchronize(); }));
  }
}

TEST_F(EmulatedGpuTest, TakesDisappearingForLost) {
  // A GPU that fell off the bus answers with these; the numbers are of newer headers than the oldest
  // supported.
  for (const int gone : {46, 100, 214, 226, 721, 810, 911, 999}) {
    SetUp();
    EXPECT_FALSE(outcome([](Engine& engine) { engine.synchronize(); }));
    gpu.answer = static_cast<cudaError_t>(gone);
    expect(ErrorCode::DeviceLost, outcome([](Engine& engine) { engine.synchronize(); }));
    gpu.answer = cudaSuccess;
    TearDown();
  }
}

// What is captured as a CUDA graph must neither wait nor ask CUDA for memory.
TEST_F(EmulatedGpuTest, ComputesWithoutWaitingAndWithoutNewMemory) {
  for (const DType dtype : {DType::Float32, DType::Float16, DType::BFloat16}) {
    const auto pixels = zeros({2, 24, 24, 3}, DType::UInt8);
    const auto stem = zeros({16, 3, 7, 7}, dtype);
    const auto weight = zeros({16, 16, 3, 3}, dtype);
    const auto bias = zeros({16}, dtype);
    const auto classes = zeros({10, 16}, dtype);
    const auto mean = zeros({16});
    const auto variance = zeros({16});
    const auto batches = zeros({}, DType::Int64);
    const auto forward = [&](Engine& engine) {
      Conv2dAttributes first;
      first.stride = {2, 2};
      first.padding = {3, 3};
      first.activation = Activation::Relu;
      Conv2dAttributes second;
      second.padding = {1, 1};
      second.activation = Activation::Relu;
      Tensor x({2, 3, 24, 24}, dtype), a({2, 16, 12, 12}, dtype), b({2, 16, 6, 6}, dtype),
          c({2, 16, 6, 6}, dtype), trained(c.shape, dtype), d({2, 16, 1, 1}, dtype), e({2, 16}, dtype),
          f({2, 10}, dtype), g({2, 10}, dtype), h({2, 10}, DType::Float32);
      engine.normalizeImage({{0.5F, 0.5F, 0.5F}, {1, 1, 1}}, *pixels, x);
      engine.conv2d(first, x, *stem, bias.get(), nullptr, a);
      engine.pool2d({PoolKind::Max, {3, 3}, {2, 2}, {1, 1}}, a, b);
      engine.conv2d(second, b, *weight, bias.get(), &b, c);
      engine.batchNormTraining({*mean, *variance, nullptr, nullptr, 1e-5}, 0.1, batches.get(), c, trained);
      engine.pool2d({PoolKind::AverageIncludingPadding, {6, 6}, {1, 1}, {0, 0}}, trained, d);
      engine.reshape(d, e);
      engine.linear({}, e, *classes, nullptr, f);
      engine.softmax(f, g);
      engine.cast(g, h);
    };
    ASSERT_FALSE(outcome(forward));
    const int allocations = gpu.allocations;
    const int waits = gpu.waits;
    ASSERT_FALSE(outcome(forward));
    EXPECT_EQ(gpu.allocations, allocations);
    EXPECT_EQ(gpu.waits, waits);
  }
}

TEST_F(EmulatedGpuTest, RunsOperationByOperationOnlyWhatCannotBeCaptured) {
  const auto captured = [](Engine& engine) {
    return engine.capture([&] {
      Tensor x({4}, DType::Float32);
      engine.zeros(x);
    });
  };
  EXPECT_FALSE(outcome([&](Engine& engine) { EXPECT_NE(captured(engine), nullptr); }));
  for (auto* const answer : {&gpu.capture, &gpu.instantiation}) {
    *answer = cudaErrorNotSupported;
    expect(ErrorCode::Backend, outcome([&](Engine& engine) { (void)captured(engine); }));
    *answer = cudaSuccess;
    EXPECT_FALSE(outcome([](Engine& engine) {
      Tensor x({4}, DType::Float32);
      engine.zeros(x);
      engine.activate(Activation::Relu, x, x);
    })) << "that error is no other's";
  }
  gpu.capture = cudaErrorMemoryAllocation;
  expect(ErrorCode::OutOfMemory, outcome([&](Engine& engine) { (void)captured(engine); }));
  gpu.capture = cudaErrorIllegalAddress;
  expect(ErrorCode::DeviceLost, outcome([&](Engine& engine) { (void)captured(engine); }));
}

// The code of a plan must not be unloaded while a graph that was launched runs it.
TEST_F(EmulatedGpuTest, KeepsThePlansOfAGraphUntilItHasRun) {
  EXPECT_FALSE(outcome([](Engine& engine) {
    const auto image = [](int64_t width) { return Tensor({1, 1, 1, width}, DType::Float32); };
    Tensor weight({1, 1, 1, 1}, DType::Float32);
    engine.zeros(weight);
    const auto convolve = [&](int64_t width) {
      Tensor x = image(width);
      Tensor y = image(width);
      engine.zeros(x);
      engine.conv2d({}, x, weight, nullptr, nullptr, y);
    };
    auto replay = engine.capture([&] { convolve(1); });
    constexpr int64_t morePlansThanAreKept = 2100;
    for (int64_t width = 2; width < morePlansThanAreKept; ++width) {
      convolve(width);
    }
    replay->run(Cancellation());
    replay.reset();
  }));
  EXPECT_FALSE(outcome([](Engine& engine) { engine.synchronize(); }));
}

TEST_F(EmulatedGpuTest, GoesOnAfterACaptureThatSomethingElseEnded) {
  EXPECT_FALSE(outcome([](Engine& engine) {
    const auto x = tensor({4});
    engine.zeros(*x);
    const auto activate = [&] {
      Tensor y({4}, DType::Float32);
      engine.activate(Activation::Relu, *x, y);
    };
    int calls = 0;
    const auto capture = [&] {
      return engine.capture([&] {
        constexpr int ofTheGraph = 3;  // after a run and a trace
        if (++calls == ofTheGraph) {
          cudaDeviceSynchronize();
          cudaGetLastError();
        }
        activate();
      });
    };
    EXPECT_THROW((void)capture(), Error);
    activate();
  }));
}

// cuDNN waits for the whole GPU where a handle is made or freed: that must not end the captures of others.
TEST_F(EmulatedGpuTest, CapturesWhileOtherEnginesComeAndGo) {
  (void)device();
  std::atomic<bool> enough{false};
  auto others = std::async(std::launch::async, [&] {
    while (!enough) {
      Device other(backend().devices.at(0));
      test::drained(other);
    }
  });
  EXPECT_FALSE(outcome([](Engine& engine) {
    for (int i = 0; i < 20; ++i) {
      const auto replay = engine.capture([&] {
        Tensor x({4}, DType::Float32);
        engine.zeros(x);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      });
      ASSERT_NE(replay, nullptr) << i;
    }
  }));
  enough = true;
  others.get();
}

}  // namespace
}  // namespace cudnn_resnet::cuda
