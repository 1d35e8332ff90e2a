#include "cpu/engine.h"

namespace cudnn_resnet::cpu {

void CpuEngine::linear(const LinearAttributes& a, Tensor& x, Tensor& weight, Tensor* bias, Tensor& y) {
  const DType type = computeType(x.dtype);
  const auto key =
      Key('l').with(a.activation).with(type).with(x.shape).with(weight.shape).with(bias != nullptr);
  const auto& primitive = compiled(key.text(), [&] {
    const auto any = dnnl::memory::format_tag::any;
    const Layout biasLayout = bias != nullptr ? plain(bias->shape, DType::Float32) : Layout();
    const auto chosen = describe<dnnl::inner_product_forward>(
        engine_, fused(attributes(), false, a.activation), prop_kind::forward_inference,
        Layout(x.shape, onednnType(type), any), Layout(weight.shape, onednnType(type), any), biasLayout,
        Layout(y.shape, onednnType(type), any));
    return compiledOf<dnnl::inner_product_forward>(chosen);
  });

  Buffer heldX;
  Buffer heldBias;
  const dnnl::memory values = in(primitive.x, x, heldX);
  Buffer result = allocate(primitive.y);
  multiply(primitive, values.get_data_handle(), weight, inFloat32(bias, heldBias), result.block.get());
  store(std::move(result), y);
}

}  // namespace cudnn_resnet::cpu
