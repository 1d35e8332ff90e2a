#ifdef CUDNN_RESNET_CUDA

#include "cuda/backend.h"

#include <gtest/gtest.h>

#include <string>

namespace cudnn_resnet::cuda {
namespace {

TEST(CudaBackend, ReportsWhatItWasBuiltWithAndWhatItFound) {
  const Backend found = backend();
  const std::string report = found.report();
  EXPECT_NE(report.find("built with CUDA"), std::string::npos) << report;
  EXPECT_NE(report.find("cuDNN"), std::string::npos) << report;
  if (found.devices.empty()) {
    // Whatever is missing, the report says what to do about it.
    const bool advice = report.find("install") != std::string::npos ||
                        report.find("nvidia-smi") != std::string::npos ||
                        report.find("not used") != std::string::npos;
    EXPECT_TRUE(advice) << report;
  }
  for (const DeviceDescription& device : found.devices) {
    EXPECT_TRUE(device.id.starts_with("cuda:")) << device.id;
    EXPECT_TRUE(device.engine.starts_with("cuDNN 9.")) << device.engine;
    EXPECT_GT(device.memory, 0U);
  }
}

}  // namespace
}  // namespace cudnn_resnet::cuda

#endif
