#ifdef CUDNN_RESNET_CUDA

#include "cuda/backend.h"

#include <gtest/gtest.h>

#include "cuda/device-presets.h"

namespace cudnn_resnet::cuda {
namespace {

TEST(CudaBackend, ReportsWhatItWasBuiltWithAndWhatItFound) {
  const Backend found = backend();
  EXPECT_NE(found.report.find("built with CUDA"), std::string::npos) << found.report;
  EXPECT_NE(found.report.find("cuDNN"), std::string::npos) << found.report;
  if (found.devices.empty()) {
    // Whatever is missing, the report says what to do about it.
    const bool advice = found.report.find("install") != std::string::npos ||
                        found.report.find("nvidia-smi") != std::string::npos ||
                        found.report.find("not used") != std::string::npos;
    EXPECT_TRUE(advice) << found.report;
  }
  for (const DeviceDescription& device : found.devices) {
    EXPECT_TRUE(device.id.starts_with("cuda:")) << device.id;
    EXPECT_TRUE(device.engine.starts_with("cuDNN 9.")) << device.engine;
    EXPECT_GT(device.memory, 0U);
  }
}

TEST(DevicePresets, KnowTheGpusThatTheCommandLineNames) {
  for (const char* name : {"h200", "a100", "l4", "t4", "b200"}) {
    EXPECT_TRUE(devicePreset(name)) << name;
  }
  EXPECT_FALSE(devicePreset("h2000"));
}

}  // namespace
}  // namespace cudnn_resnet::cuda

#endif
