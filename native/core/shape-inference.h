// The shapes of results, and the rules that inputs must keep: checked on the thread of JavaScript before
// anything is queued. Each function throws Error(Shape), Error(DType) or Error(Argument) where a rule is
// broken.
#pragma once

#include "core/attributes.h"
#include "core/tensor.h"

namespace cudnn_resnet {

void checkShape(const char* operation, const char* argument, const Tensor& x, const Shape& expected);
void checkDType(const char* operation, const char* argument, const Tensor& x, DType expected);
void checkFloat(const char* operation, const char* argument, DType dtype);

// The extent that a window sliding over `extent` gives, or 0 where it does not fit.
[[nodiscard]] int64_t slidingExtent(int64_t extent, int64_t kernel, int64_t stride, int64_t padding,
                                    int64_t dilation);

[[nodiscard]] Shape conv2dShape(const Conv2dAttributes& attributes, const Tensor& x, const Tensor& weight,
                                const Tensor* bias, const Tensor* add);
[[nodiscard]] Shape pool2dShape(const Pool2dAttributes& attributes, const Tensor& x);
[[nodiscard]] Shape globalAvgPoolShape(const Tensor& x);
[[nodiscard]] Shape linearShape(const Tensor& x, const Tensor& weight, const Tensor* bias);
[[nodiscard]] Shape normalizeImageShape(const Tensor& pixels);
// `wanted` with its -1, if there is one, replaced by what is left of `size` elements.
[[nodiscard]] Shape reshapedShape(const Shape& wanted, int64_t size);

void checkBatchNorm(const Tensor& x, const Tensor& mean, const Tensor& variance, const Tensor* weight,
                    const Tensor* bias);
// Batch statistics need more than one value per channel.
void checkBatchNormTraining(const Tensor& x, const Tensor& runningMean, const Tensor& runningVariance,
                            const Tensor* weight, const Tensor* bias);
void checkFoldBatchNorm(const Tensor& weight, const Tensor* bias, const Tensor& mean, const Tensor& variance,
                        const Tensor* batchNormWeight, const Tensor* batchNormBias);
// What takes the folded weight and bias.
void checkFolded(const Tensor& weight, const Tensor& foldedWeight, const Tensor& foldedBias);
void checkAdd(const Tensor& a, const Tensor& b);
void checkSoftmax(const Tensor& x);
void checkTopK(const Tensor& x, int64_t k);

}  // namespace cudnn_resnet
