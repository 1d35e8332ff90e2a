// NVIDIA's driver, libcuda.so.1.
#pragma once

namespace cudnn_resnet::cuda {

// Makes sure that there is a libcuda.so.1 for cuDNN to open: where no driver is installed, the stub that is
// built beside this library (native/stub-driver), on which nothing can run but plans can be compiled. Throws
// Error(Device) where neither can be opened.
void requireDriver();

}  // namespace cudnn_resnet::cuda
