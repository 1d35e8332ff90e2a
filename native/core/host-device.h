// Marks what is compiled for the GPU and, for the tests of index arithmetic, for the host as well.
#pragma once

#ifdef __CUDACC__
#define CUDNN_RESNET_HOST_DEVICE __host__ __device__
#else
#define CUDNN_RESNET_HOST_DEVICE
#endif
