#include "cpu/engine.h"

namespace cudnn_resnet::cpu {

using format_tag = dnnl::memory::format_tag;

namespace {

// Of features as the channels of images of one pixel.
Layout ofPixels(Shape shape, DType dtype, format_tag tag) {
  shape.insert(shape.end(), {1, 1});
  return {shape, onednnType(dtype), tag};
}

}  // namespace

// The sums of a long linear layer are divided among threads, those of a convolution are not.
Compiled CpuEngine::compileOfPixels(Activation activation, DType type, const Shape& x, const Shape& weight,
                                    bool bias, const Shape& y) const {
  Conv2dAttributes a;
  a.activation = activation;
  // C order, where oneDNN has not its reference implementation alone for that.
  const format_tag order = hasAvx512_ ? format_tag::nhwc : format_tag::any;
  return compileConv2d(a, algorithm::convolution_direct, ofPixels(x, type, format_tag::any),
                       {weight[0], weight[1], 1, 1}, bias, false, ofPixels(y, type, order));
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
    const auto any = format_tag::any;
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
  const auto source = storageOf(x).share();  // where x is the weight too, packing takes this memory from it
  Buffer heldX;
  Buffer heldBias;
  const dnnl::memory values = in(primitive.x, x, heldX);
  Buffer result = allocate(primitive.y);
  multiply(primitive, values.get_data_handle(), weight, inFloat32(bias, heldBias), result.block.get());
  if (a.compute.deterministic) {
    if (const Layout inOrder = ofPixels(y.shape, type, format_tag::nhwc); result.layout != inOrder) {
      Buffer ordered = allocate(inOrder);
      reorder(view(result), view(ordered));
      result = std::move(ordered);
    }
    result.layout = plain(y.shape, type);
  }
  store(std::move(result), y);
}

}  // namespace cudnn_resnet::cpu
