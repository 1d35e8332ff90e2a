// What a convolution is, and in part a pooling, in oneDNN's terms.
#pragma once

#include "core/attributes.h"
#include "core/tensor.h"
#include "cpu/onednn.h"

namespace cudnn_resnet::cpu {

[[nodiscard]] dnnl::memory::dims dims(const Pair& pair);

// oneDNN counts dilation from 0.
[[nodiscard]] dnnl::memory::dims dilates(const Pair& dilation);

// Of a batch of so many images.
[[nodiscard]] Shape withImages(Shape shape, int64_t images);

// What of the padding behind the last pixel the last window, of so many pixels, reaches; 0 where it leaves
// pixels over. (Fewer than 0 are taken by oneDNN 2.6, too, and some implementations,
// brgconv:avx512_core_amx_bf16, compute wrongly then.)
[[nodiscard]] dnnl::memory::dims paddingAfter(const Pair& window, const Pair& stride, const Pair& padding,
                                              const Tensor& x, const Tensor& y);
// Of a convolution.
[[nodiscard]] dnnl::memory::dims paddingAfter(const Conv2dAttributes& a, const Tensor& x,
                                              const Tensor& weight, const Tensor& y);

}  // namespace cudnn_resnet::cpu
