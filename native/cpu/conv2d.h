// What convolutions by different ways share, and in part poolings.
#pragma once

#include "core/attributes.h"
#include "core/shape.h"
#include "cpu/onednn.h"

namespace cudnn_resnet::cpu {

// Of a batch of so many images.
[[nodiscard]] Shape withImages(Shape shape, int64_t images);

// What of the padding behind the last pixel the last window, of so many pixels, reaches; 0 where it leaves
// pixels over. (Fewer than 0 are taken by oneDNN 2.6, too, and some implementations,
// brgconv:avx512_core_amx_bf16, compute wrongly then.)
[[nodiscard]] dnnl::memory::dims paddingAfter(const Pair& window, const Pair& stride, const Pair& padding,
                                              const Shape& x, const Shape& y);

}  // namespace cudnn_resnet::cpu
