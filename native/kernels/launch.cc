#include "kernels/launch.h"

#include "cuda/error.h"

namespace cudnn_resnet::kernels {

void checkLaunch(const char* kernel) { cuda::check(cudaGetLastError(), kernel); }

}  // namespace cudnn_resnet::kernels
