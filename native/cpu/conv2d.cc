#include "cpu/engine.h"

namespace cudnn_resnet::cpu {
namespace {

dnnl::memory::dims dims(const Pair& pair) { return {pair[0], pair[1]}; }

// oneDNN counts dilation from 0.
dnnl::memory::dims dilates(const Pair& dilation) { return {dilation[0] - 1, dilation[1] - 1}; }

// What of the padding behind the last pixel the last window reaches.
dnnl::memory::dims paddingAfter(const Conv2dAttributes& a, const Tensor& x, const Tensor& weight,
                                const Tensor& y) {
  dnnl::memory::dims after(2);
  for (size_t i = 0; i < 2; ++i) {
    const int64_t span = a.dilation[i] * (weight.shape[2 + i] - 1) + 1;
    after[i] = (y.shape[2 + i] - 1) * a.stride[i] + span - x.shape[2 + i] - a.padding[i];
  }
  return after;
}

// Whether there are rows, or columns, of the output for which every tap of the kernel lies in the padding.
bool hasWindowInPadding(const Conv2dAttributes& a, const Tensor& x, const Tensor& weight, const Tensor& y) {
  const auto touchesImage = [&](size_t i, int64_t out) {
    for (int64_t tap = 0; tap < weight.shape[2 + i]; ++tap) {
      const int64_t at = out * a.stride[i] - a.padding[i] + tap * a.dilation[i];
      if (at >= 0 && at < x.shape[2 + i]) {
        return true;
      }
    }
    return false;
  };
  for (size_t i = 0; i < 2; ++i) {
    for (int64_t out = 0; out < y.shape[2 + i]; ++out) {
      if (!touchesImage(i, out)) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace

void CpuEngine::conv2d(const Conv2dAttributes& a, Tensor& x, Tensor& weight, Tensor* bias, Tensor* add,
                       Tensor& y) {
  if (add != nullptr && hasWindowInPadding(a, x, weight, y)) {
    // oneDNN's brgconv:avx512_core crashes where such a window meets a fused sum (seen with 2.6.3).
    Conv2dAttributes unfused = a;
    unfused.activation = Activation::None;
    conv2d(unfused, x, weight, bias, nullptr, y);
    this->add(a.activation, y, *add, y);
    return;
  }
  if (a.activation == Activation::Gelu && a.groups > 1 && computeType(x.dtype) == DType::BFloat16) {
    // oneDNN 2.6.3 chooses jit:avx512_core_bf16 for few channels in a group, and then fails to make it.
    Conv2dAttributes unfused = a;
    unfused.activation = Activation::None;
    conv2d(unfused, x, weight, bias, add, y);
    activate(a.activation, y, y);
    return;
  }
  const DType type = computeType(x.dtype);
  const auto any = [](const Shape& shape, DType dtype) {
    return Layout(shape, onednnType(dtype), dnnl::memory::format_tag::any);
  };
  const auto key =
      Key('c').with(a).with(type).with(x.shape).with(weight.shape).with(bias != nullptr).with(add != nullptr);
  const auto& primitive = compiled(key.text(), [&]() -> Compiled {
    Shape weightShape = weight.shape;
    if (a.groups > 1) {
      weightShape[0] /= a.groups;
      weightShape.insert(weightShape.begin(), a.groups);
    }
    const Layout biasLayout = bias != nullptr ? plain(bias->shape, DType::Float32) : Layout();
    const auto chosen = describe<dnnl::convolution_forward>(
        engine_, fused(attributes(), add != nullptr, a.activation), prop_kind::forward_inference,
        algorithm::convolution_direct, any(x.shape, type), any(weightShape, type), biasLayout,
        any(y.shape, type), dims(a.stride), dilates(a.dilation), dims(a.padding),
        paddingAfter(a, x, weight, y));
    return {dnnl::convolution_forward(chosen), chosen.src_desc(), chosen.weights_desc(), chosen.dst_desc(),
            chosen.scratchpad_desc()};
  });

  Buffer heldX;
  Buffer heldBias;
  Arguments arguments{{DNNL_ARG_SRC, in(primitive.x, x, heldX)},
                      {DNNL_ARG_WEIGHTS, packed(primitive.weight, weight)}};
  if (bias != nullptr) {
    arguments[DNNL_ARG_BIAS] = in(plain(bias->shape, DType::Float32), *bias, heldBias);
  }
  Buffer result = add != nullptr ? addend(primitive.y, *add) : allocate(primitive.y);
  arguments[DNNL_ARG_DST] = view(result);
  execute(primitive, std::move(arguments));
  store(std::move(result), y);
}

// What the convolution adds to stands in its output before it runs: the residual's own memory where nothing
// else will read it any more, else a copy.
Buffer CpuEngine::addend(const Layout& layout, Tensor& residual) {
  Buffer buffer;
  const dnnl::memory source = in(layout, residual, buffer);
  if (buffer.block.get() != nullptr) {
    return buffer;
  }
  if (residual.lastRead()) {
    return static_cast<CpuStorage&>(*residual.storage).take();
  }
  buffer = allocate(layout);
  reorder(source, view(buffer));
  return buffer;
}

}  // namespace cudnn_resnet::cpu
