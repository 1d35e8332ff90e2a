// The parameters of the primitives, as plain values that both engines read.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace cudnn_resnet {

enum class Activation : uint8_t { None, Relu, Relu6, Sigmoid, Tanh, Gelu, Swish };

[[nodiscard]] std::optional<Activation> activationNamed(std::string_view name) noexcept;

using Pair = std::array<int64_t, 2>;  // height, width

// Of each number below, and of the sides of a picture: beyond it the arithmetic of shapes would overflow.
constexpr int64_t largestAttribute = int64_t{1} << 24;

// How a convolution may be computed. Direct multiplies what the formula multiplies: integers small enough
// come out exact. Fast leaves the choice to the engine, which may take Winograd's transform, or products of
// bfloat16 in the place of float32: errors of float32 grow to some 5e-6.
enum class ConvAlgorithm : uint8_t { Direct, Fast };

// What the caller lets an engine do, or asks of it. One that has no use for it computes as ever.
struct ComputeOptions {
  bool tf32 = false;           // multiply float32 with ten bits of mantissa, several times faster
  bool tune = false;           // time several ways of computing it at its first use, and keep the fastest
  bool deterministic = false;  // the same bits on any number of threads
};

struct Conv2dAttributes {
  Pair stride{1, 1};
  Pair padding{0, 0};
  Pair dilation{1, 1};
  int64_t groups = 1;
  Activation activation = Activation::None;
  ConvAlgorithm algorithm = ConvAlgorithm::Direct;
  ComputeOptions compute;
};

struct LinearAttributes {
  Activation activation = Activation::None;
  ComputeOptions compute;
};

enum class PoolKind : uint8_t { Max, AverageIncludingPadding, AverageExcludingPadding };

struct Pool2dAttributes {
  PoolKind kind = PoolKind::Max;
  Pair kernel{1, 1};
  Pair stride{1, 1};
  Pair padding{0, 0};
};

struct ImageNormalization {
  std::array<float, 3> mean{};
  std::array<float, 3> deviation{};
};

}  // namespace cudnn_resnet
