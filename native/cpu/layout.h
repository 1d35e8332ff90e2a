// The layouts of C order.
#pragma once

#include "core/dtype.h"
#include "core/shape.h"
#include "cpu/onednn.h"

namespace cudnn_resnet::cpu {

[[nodiscard]] dnnl::memory::data_type onednnType(DType dtype);

[[nodiscard]] Layout plain(const Shape& shape, DType dtype);

// Of the elements of a layout, seen with such dimensions.
[[nodiscard]] Layout inOrder(const Layout& layout, const Shape& shape);

}  // namespace cudnn_resnet::cpu
