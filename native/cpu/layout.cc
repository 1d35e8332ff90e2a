#include "cpu/layout.h"

namespace cudnn_resnet::cpu {
namespace {

Layout plain(const Shape& shape, dnnl::memory::data_type type) {
  dnnl::memory::dims strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) {
    strides[i - 1] = strides[i] * shape[i];
  }
  return shape.empty() ? Layout({1}, type, dnnl::memory::dims{1}) : Layout(shape, type, strides);
}

}  // namespace

dnnl::memory::data_type onednnType(DType dtype) {
  return dtype == DType::BFloat16 ? dnnl::memory::data_type::bf16 : dnnl::memory::data_type::f32;
}

Layout plain(const Shape& shape, DType dtype) { return plain(shape, onednnType(dtype)); }

Layout inOrder(const Layout& layout, const Shape& shape) { return plain(shape, elementType(layout)); }

}  // namespace cudnn_resnet::cpu
