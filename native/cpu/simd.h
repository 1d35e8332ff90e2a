// Loops that are written for the compiler to turn into instructions on 16 values.
#pragma once

// Of a function that only processors with AVX-512 call.
#if defined(__x86_64__)
#define CUDNN_RESNET_ON_16_VALUES __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#else
#define CUDNN_RESNET_ON_16_VALUES
#endif
