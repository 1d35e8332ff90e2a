#include "cpu/engine.h"

namespace cudnn_resnet::cpu {

// The sums of a long linear layer are divided among threads, those of a convolution are not.
Compiled CpuEngine::compileOfPixels(Activation activation, DType type, const Shape& x, const Shape& weight,
                                    bool bias, const Shape& y) const {
  using format_tag = dnnl::memory::format_tag;
  const auto images = [](Shape shape) {
    shape.insert(shape.end(), {1, 1});
    return shape;
  };
  Conv2dAttributes a;
  a.activation = activation;
  // C order, where oneDNN has not its reference implementation alone for that.
  const format_tag of = hasAvx512_ ? format_tag::nhwc : format_tag::any;
  return compileConv2d(a, algorithm::convolution_direct, Layout(images(x), onednnType(type), format_tag::any),
                       images(weight), bias, false, Layout(images(y), onednnType(type), of));
}

void CpuEngine::linear(const LinearAttributes& a, Tensor& x, Tensor& weight, Tensor* bias, Tensor& y) {
  LinearAttributes unfused = a;
  unfused.activation = Activation::None;
  if (rectifiesHalves(a.activation, y.dtype)) {
    linear(unfused, x, weight, bias, y);
    rectifyHalves(a.activation, y);
    return;
  }
  const DType type = computeType(x.dtype);
  const auto key = Key('l')
                       .with(a.activation)
                       .with(a.compute.deterministic)
                       .with(type)
                       .with(x.shape)
                       .with(weight.shape)
                       .with(bias != nullptr);
  const auto& primitive = compiled(key.text(), [&] {
    if (a.compute.deterministic) {
      return compileOfPixels(a.activation, type, x.shape, weight.shape, bias != nullptr, y.shape);
    }
    const auto any = dnnl::memory::format_tag::any;
    const Layout biasLayout = bias != nullptr ? plain(bias->shape, DType::Float32) : Layout();
    const auto chosen = describe<dnnl::inner_product_forward>(
        engine_, fused(false, a.activation), prop_kind::forward_inference,
        Layout(x.shape, onednnType(type), any), Layout(weight.shape, onednnType(type), any), biasLayout,
        Layout(y.shape, onednnType(type), any));
    return compiledOf<dnnl::inner_product_forward>(chosen);
  });

  if (primitive.byGemm && !isSoundAfterGemm(a.activation)) {
    linear(unfused, x, weight, bias, y);
    activate(a.activation, y, y);
    return;
  }
  Buffer heldX;
  Buffer heldBias;
  const dnnl::memory values = in(primitive.x, x, heldX);
  Buffer result = allocate(primitive.y);
  multiply(primitive, values.get_data_handle(), weight, inFloat32(bias, heldBias), result.block.get());
  if (dimensions(result.layout) != y.shape) {  // of images of one pixel
    Buffer ordered = allocate(plain(y.shape, type));
    reorder(view(result), view(ordered));
    result = std::move(ordered);
  }
  store(std::move(result), y);
}

}  // namespace cudnn_resnet::cpu
