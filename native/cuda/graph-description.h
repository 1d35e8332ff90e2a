// What cuDNN is asked to plan, as plain values: the key of the plan caches, and the input of compile().
//
// Shapes are written in the order N, C, H, W, with the channels as they are in memory, padding included.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "core/attributes.h"
#include "core/dtype.h"
#include "core/shape.h"

namespace cudnn_resnet::cuda {

// The elements of a tensor and the arithmetic on them. Accumulation is in float32 everywhere; TF32 is float32
// in memory, with products of ten mantissa bits.
enum class Math : uint8_t { Float32, TF32, Float16, BFloat16 };

// Throws Error(DType) where cuDNN computes with no such tensors.
[[nodiscard]] Math mathOf(DType dtype, const ComputeOptions& compute = {});

// Whether convolutions read and write channels last: NHWC images, KRSC weights. In strict float32 they take C
// order, which is what all of its engines compute in: of NHWC they reorder what they read and what they
// write, at every run. Batch norm in training is of NHWC.
[[nodiscard]] bool convolvesChannelsLast(Math math);

// y = activation(convolution(x, weight) + add + bias), all of one dtype. A linear layer is the convolution of
// a 1×1 image.
struct ConvGraph {
  Math math = Math::Float32;
  Shape x, weight;
  Conv2dAttributes attributes;
  bool bias = false;
  bool add = false;
};

// y = (x - mean) / sqrt(variance + epsilon) · scale + bias by the statistics of the batch, which are written
// too.
struct BatchNormGraph {
  Math math = Math::Float32;
  Shape x;
};

// The graphs of the primitives, from the tensors' own shapes.
//
// cuDNN's engines for Tensor Cores read 16 bytes at a time. The few channels of an image are padded to that,
// which costs less than reading them one by one; larger numbers that do not divide are left to the engines
// that can. In C order channels do not lie side by side.
[[nodiscard]] int64_t channelsPerAccess(Math math);
[[nodiscard]] ConvGraph convGraph(Math math, const Conv2dAttributes& attributes, const Shape& x,
                                  const Shape& weight, bool bias, bool add);
[[nodiscard]] ConvGraph linearGraph(Math math, const LinearAttributes& attributes, const Shape& x,
                                    const Shape& weight, bool bias);
// Whether what follows the convolution is to be in cuDNN's plan, too. Not ReLU6, which cuDNN leaves to its
// slowest engine; and in strict float32 what its fast engines know: a bias, a tensor to add beside that, and
// ReLU.
[[nodiscard]] bool isFused(const ConvGraph& graph);
// The convolution without what follows it, for a kernel to add.
[[nodiscard]] ConvGraph convolutionAlone(const ConvGraph& graph);
// With the channels padded to the eight that cuDNN's engines take at a time.
[[nodiscard]] BatchNormGraph batchNormGraph(Math math, const Shape& x);

using GraphDescription = std::variant<ConvGraph, BatchNormGraph>;

// Whether its plan is to be chosen by timing.
[[nodiscard]] bool isTuned(const GraphDescription& description);

// Readable, and different for different graphs: "conv f16 nhwc x[32, 64, 56, 56] w[64, 64, 3, 3] s1,1 p1,1
// d1,1 g1 +bias relu".
[[nodiscard]] std::string text(const GraphDescription& description);

[[nodiscard]] Shape outputShape(const ConvGraph& graph);

// Tensors are bound to a graph by these, never by position.
enum class Uid : int64_t { X = 1, Weight, Bias, Add, Y, Scale, Epsilon, Mean, InverseDeviation };

}  // namespace cudnn_resnet::cuda
