// Which plans are compiled, when and how often: on the emulated GPU, where that is counted.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "cuda/backend.h"
#include "cuda/engine.h"
#include "gpu.h"
#include "test/expect-error.h"

namespace cudnn_resnet::cuda {
namespace {

namespace fs = std::filesystem;
using host_cuda::gpu;

class PlanCacheTest : public testing::Test {
 protected:
  static constexpr int layers = 12;

  void SetUp() override {
    gpu.mend();
    fs::create_directories(folder_);
    setenv("CUDNN_RESNET_CACHE", folder_.c_str(), 1);
  }
  void TearDown() override {
    unsetenv("CUDNN_RESNET_CACHE");
    fs::remove_all(folder_);
  }

  // Convolutions of as many kinds, each of the values that the last one gave, and what they give.
  struct Network {
    Tensor x{{1, 8, 4, 4}, DType::Float32};
    Tensor weight{{8, 8, 1, 1}, DType::Float32};
    Tensor y{{1, 8, 4, 4}, DType::Float32};
    bool tune = false;

    void operator()(Engine& engine) {
      y.storage.reset();
      y.ofEachRun = true;
      engine.copy(x, y);
      for (int layer = 0; layer < layers; ++layer) {
        Conv2dAttributes attributes;
        attributes.compute.tune = tune;
        // 1×1 windows of one pixel are the same convolution for each dilation, and another plan.
        attributes.dilation = {layer + 1, layer + 1};
        Tensor next(y.shape, y.dtype);
        engine.conv2d(attributes, y, weight, nullptr, nullptr, next);
        y.storage = std::move(next.storage);
      }
    }
  };

  // One convolution of zeros, on an engine of its own.
  struct Convolution {
    EngineMemory memory;
    std::unique_ptr<Engine> engine = backend().devices.at(0).open(memory);
    Tensor x{{1, 8, 4, 4}, DType::Float32};
    Tensor weight{{8, 8, 1, 1}, DType::Float32};
    Tensor y{{1, 8, 4, 4}, DType::Float32};

    Convolution() {
      engine->zeros(x);
      engine->zeros(weight);
    }
    void operator()(const Conv2dAttributes& attributes = {}) {
      engine->conv2d(attributes, x, weight, nullptr, nullptr, y);
    }
  };

  // Captures the network on an engine of its own, as a process does; the number of plans compiled.
  static int captured(const std::string& given = "", bool tune = false) {
    EngineMemory memory;
    const auto engine = backend().devices.at(0).open(memory);
    if (!given.empty()) {
      engine->usePlans(given);
    }
    Network network;
    network.tune = tune;
    std::vector<float> ones(128, 1);
    std::vector<float> identity(64, 0);
    for (size_t i = 0; i < 8; ++i) {
      identity[i * 9] = 2;
    }
    engine->upload(ones.data(), network.x);
    engine->upload(identity.data(), network.weight);
    gpu.compilations = 0;
    const auto replay = engine->capture([&] { network(*engine); });
    EXPECT_NE(replay, nullptr);
    replay->run(Cancellation());
    std::vector<float> values(128);
    engine->download(network.y, values.data());
    EXPECT_EQ(values, std::vector<float>(128, 1 << layers));
    return gpu.compilations;
  }

  [[nodiscard]] int files() const {
    int count = 0;
    for (const auto& entry : fs::directory_iterator(folder_ / "plans")) {
      count += entry.path().extension() == ".plan" ? 1 : 0;
    }
    return count;
  }

  const fs::path folder_ = fs::path(testing::TempDir()) /
                           ("plan-cache-" + std::to_string(getpid()) + "-" + std::to_string(std::rand()));
};

TEST_F(PlanCacheTest, CompilesEachOnceAndKeepsItForOtherEngines) {
  EXPECT_EQ(captured(), layers);
  EXPECT_EQ(files(), layers);
  EXPECT_EQ(captured(), 0);
}

TEST_F(PlanCacheTest, CompilesWhatIsMissingOrDamaged) {
  captured();
  auto entry = fs::directory_iterator(folder_ / "plans");
  std::ofstream(entry->path()) << "damaged";
  fs::remove((++entry)->path());
  EXPECT_EQ(captured(), 2);
  EXPECT_EQ(captured(), 0);
}

TEST_F(PlanCacheTest, KeepsThemWhereTheGpuHasNoRoomToLoadThem) {
  captured();
  gpu.loads = false;
  gpu.memory = 10 << 20;
  EXPECT_THROW(captured(), Error);
  EXPECT_EQ(files(), layers);
  gpu.memory = SIZE_MAX;
  EXPECT_EQ(captured(), layers) << "cuDNN does not take them";
  gpu.mend();
  EXPECT_EQ(captured(), 0);
}

// A refusal for want of memory is none of the graph's.
TEST_F(PlanCacheTest, CompilesLaterWhatTheGpuHadNoRoomFor) {
  Convolution convolve;
  gpu.compiles = false;
  gpu.memory = 10 << 20;
  test::expectError(ErrorCode::OutOfMemory, [&] { convolve(); });
  gpu.mend();
  convolve();
}

TEST_F(PlanCacheTest, CompilesAnewForAnotherDriver) {
  captured();
  gpu.driver = 13010;
  EXPECT_EQ(captured(), layers);
  gpu.driver = 13000;
  EXPECT_EQ(captured(), 0);
}

TEST_F(PlanCacheTest, TakesThoseThatItIsGiven) {
  captured();
  const fs::path given = folder_ / "given";
  const std::string identity = planIdentity("9.0.0", 0, 80, 1);
  PlanFiles made(given, identity, [](const std::string& warning) { FAIL() << warning; });
  for (const auto& entry : fs::directory_iterator(folder_ / "plans")) {
    std::ifstream file(entry.path());
    std::string magic, madeFor, graph, hash;
    for (std::string* line : {&magic, &madeFor, &graph, &hash}) {
      std::getline(file, *line);
    }
    EXPECT_EQ(madeFor, identity + " driver 13000");
    made.write(graph, {std::istreambuf_iterator<char>(file), {}});
  }
  fs::remove_all(folder_ / "plans");
  EXPECT_EQ(captured(given), 0);
  EXPECT_FALSE(fs::exists(folder_ / "plans"));
}

TEST_F(PlanCacheTest, SaysOnceThatThoseItIsGivenDoNotFit) {
  EngineMemory memory;
  const auto engine = backend().devices.at(0).open(memory);
  testing::internal::CaptureStderr();
  engine->usePlans("nowhere");
  engine->usePlans("nowhere");
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "cudnn-resnet: there are no plans in nowhere; they are compiled where they are needed\n");
}

TEST_F(PlanCacheTest, CompilesWithoutAFolder) {
  fs::create_directories(folder_);
  std::ofstream(folder_ / "plans") << "no folder";
  EXPECT_EQ(captured(), layers);
}

TEST_F(PlanCacheTest, KeepsTheOneThatIsChosenByTiming) {
  gpu.timings = 0;
  EXPECT_EQ(captured("", /*tune=*/true), layers);
  EXPECT_GE(gpu.timings, 2 * layers) << "there is a choice for each";
  EXPECT_EQ(files(), layers);
  gpu.timings = 0;
  EXPECT_EQ(captured("", /*tune=*/true), 0);
  EXPECT_EQ(captured(), layers) << "what was not timed is another plan";
  EXPECT_EQ(gpu.timings, 0);
}

TEST_F(PlanCacheTest, KeepsNoneThatCouldNotBeTimed) {
  {
    Convolution convolve;
    Conv2dAttributes tuned;
    tuned.compute.tune = true;
    gpu.capture = cudaErrorNotSupported;
    convolve(tuned);
    convolve.engine->synchronize();  // the plans that were not taken are gone, and none of them still ran
  }
  gpu.mend();
  EXPECT_FALSE(fs::exists(folder_ / "plans"));
  EXPECT_EQ(captured("", /*tune=*/true), layers);
}

}  // namespace
}  // namespace cudnn_resnet::cuda
