// The elements of tensors in kernels: read as float (or an integer), written rounded to nearest.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cmath>
#include <cstdint>
#include <string>

#include "core/attributes.h"
#include "core/dtype.h"
#include "core/error.h"

namespace cudnn_resnet::kernels {

// The C++ type of a dtype that is computed in, as the argument of a generic lambda.
template <typename Function>
void withFloat(DType dtype, Function&& function) {
  switch (dtype) {
    case DType::Float32:
      return function(float{});
    case DType::Float16:
      return function(__half{});
    case DType::BFloat16:
      return function(__nv_bfloat16{});
    default:
      throw Error(ErrorCode::DType, "a GPU computes with no " + std::string(name(dtype)));
  }
}

// As withFloat, of any dtype that a GPU holds.
template <typename Function>
void withElement(DType dtype, Function&& function) {
  switch (dtype) {
    case DType::UInt8:
      return function(uint8_t{});
    case DType::Int64:
      return function(int64_t{});
    default:
      return withFloat(dtype, function);
  }
}

__device__ inline float toFloat(float value) { return value; }
__device__ inline float toFloat(__half value) { return __half2float(value); }
__device__ inline float toFloat(__nv_bfloat16 value) { return __bfloat162float(value); }
__device__ inline float toFloat(uint8_t value) { return value; }
__device__ inline float toFloat(int64_t value) { return static_cast<float>(value); }

__device__ inline void fromFloat(float value, float& to) { to = value; }
__device__ inline void fromFloat(float value, __half& to) { to = __float2half_rn(value); }
__device__ inline void fromFloat(float value, __nv_bfloat16& to) { to = __float2bfloat16_rn(value); }

// Saturates, and NaN is 0, as core/dtype.cc does on the host.
__device__ inline void fromFloat(float value, uint8_t& to) {
  to = static_cast<uint8_t>(fminf(fmaxf(value, 0.0F), 255.0F));  // fmaxf(NaN, 0) is 0
}
__device__ inline void fromFloat(float value, int64_t& to) {
  to = isnan(value) ? 0 : static_cast<int64_t>(__float2ll_rz(value));
}

template <typename To, typename From>
__device__ inline To convert(From value) {
  To to;
  fromFloat(toFloat(value), to);
  return to;
}
// Integers do not go through float, which would round them.
template <>
__device__ inline int64_t convert<int64_t, int64_t>(int64_t value) {
  return value;
}
template <>
__device__ inline int64_t convert<int64_t, uint8_t>(uint8_t value) {
  return value;
}
template <>
__device__ inline uint8_t convert<uint8_t, int64_t>(int64_t value) {
  return static_cast<uint8_t>(value);
}
// What rounds to 16 bits as the integer itself would: where float has it not, the neighbour towards zero with
// its last bit set, which is no tie.
__device__ inline float withSticky(int64_t value) {
  const float towardsZero = __ll2float_rz(value);
  const bool exact = __float2ll_rz(towardsZero) == value;
  return exact ? towardsZero : __uint_as_float(__float_as_uint(towardsZero) | 1U);
}
template <>
__device__ inline __half convert<__half, int64_t>(int64_t value) {
  return __float2half_rn(withSticky(value));
}
template <>
__device__ inline __nv_bfloat16 convert<__nv_bfloat16, int64_t>(int64_t value) {
  return __float2bfloat16_rn(withSticky(value));
}

__device__ inline float activated(Activation activation, float x) {
  switch (activation) {
    case Activation::None:
      return x;
    case Activation::Relu:
      return x < 0 ? 0 : x;  // NaN stays NaN
    case Activation::Relu6:
      return x < 0 ? 0 : x > 6 ? 6 : x;
    case Activation::Sigmoid:
      return 1 / (1 + expf(-x));
    case Activation::Tanh:
      return tanhf(x);
    case Activation::Gelu:
      return 0.5F * x * (1 + erff(x * 0.70710678118654752F));
    case Activation::Swish:
      return x / (1 + expf(-x));
  }
  return x;
}

// As many elements as one access moves, by default of 16 bytes.
template <typename T, int count = 16 / sizeof(T)>
struct alignas(count * sizeof(T)) Vector {
  static constexpr int lanes = count;
  T values[lanes];
};

}  // namespace cudnn_resnet::kernels
