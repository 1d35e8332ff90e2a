#include "core/profiler.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <thread>
#include <utility>

#include "fake-engine.h"
#include "outcome.h"

namespace cudnn_resnet {
namespace {

using test::drained;
using test::fakeDevice;
using test::makeZeros;
using test::readOutcome;
using test::tensor;

// Submits work of one input and one output.
void submit(Device& device, const TensorPtr& x, const TensorPtr& y, std::string name) {
  device.submit({{x}, {y}, [y](Engine& engine) { engine.zeros(*y); }, true, 0, std::move(name)});
}

TEST(Profiler, NotesWhatIsSubmittedWhileItIsThere) {
  Device device(fakeDevice());
  const auto x = tensor({2, 3});
  const auto y = tensor({2, 5});
  const auto z = tensor({7});
  makeZeros(device, x);
  const auto profiler = std::make_shared<Profiler>();
  device.profiler = profiler;
  submit(device, x, y, "linear");
  profiler->layer = "fc";
  submit(device, y, z, "add");
  device.profiler = nullptr;
  submit(device, z, x, "softmax");
  ASSERT_EQ(drained(device), nullptr);

  const auto& timings = profiler->timings;
  ASSERT_EQ(timings.size(), 2);
  EXPECT_EQ(timings[0].layer, "");
  EXPECT_EQ(timings[0].operation, "linear");
  EXPECT_EQ(timings[0].inputs, (std::vector<Shape>{{2, 3}}));
  EXPECT_EQ(timings[0].outputs, (std::vector<Shape>{{2, 5}}));
  EXPECT_EQ(timings[1].layer, "fc");
  EXPECT_EQ(timings[1].operation, "add");
  EXPECT_GE(timings[0].begin, 0);
  EXPECT_GE(timings[0].end, timings[0].begin);
  EXPECT_GE(timings[1].begin, timings[0].end);
}

TEST(Profiler, WaitsForWhatAnEngineComputesBehindItsCallersBack) {
  struct LateEngine : test::FakeEngine {
    void synchronize() override { std::this_thread::sleep_for(std::chrono::milliseconds(20)); }
  };
  DeviceDescription description = fakeDevice();
  description.open = [](EngineMemory&) { return std::make_unique<LateEngine>(); };
  Device device(description);
  const auto x = tensor({1});
  makeZeros(device, x);
  const auto profiler = std::make_shared<Profiler>();
  device.profiler = profiler;
  submit(device, x, tensor({1}), "add");
  ASSERT_EQ(drained(device), nullptr);
  ASSERT_EQ(profiler->timings.size(), 1);
  EXPECT_GE(profiler->timings[0].end - profiler->timings[0].begin, 20);
}

TEST(Profiler, LeavesErrorsAsTheyAreAndDoesNotNoteThem) {
  Device device(fakeDevice());
  const auto y = tensor({1});
  const auto profiler = std::make_shared<Profiler>();
  device.profiler = profiler;
  device.submit({{}, {y}, [](Engine&) { throw Error(ErrorCode::Backend, "no"); }, true, 0, "conv2d"});
  EXPECT_STREQ(readOutcome(device, y)->what(), "no");
  EXPECT_TRUE(profiler->timings.empty());
}

}  // namespace
}  // namespace cudnn_resnet
