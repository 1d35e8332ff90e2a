#include "cpu/conv2d.h"

#include <algorithm>

#include "cpu/engine.h"

namespace cudnn_resnet::cpu {

using format_tag = dnnl::memory::format_tag;

dnnl::memory::dims dims(const Pair& pair) { return {pair[0], pair[1]}; }

dnnl::memory::dims dilates(const Pair& dilation) { return {dilation[0] - 1, dilation[1] - 1}; }

dnnl::memory::dims paddingAfter(const Conv2dAttributes& a, const Tensor& x, const Tensor& weight,
                                const Tensor& y) {
  dnnl::memory::dims after(2);
  for (size_t i = 0; i < 2; ++i) {
    const int64_t span = a.dilation[i] * (weight.shape[2 + i] - 1) + 1;
    const int64_t reached = (y.shape[2 + i] - 1) * a.stride[i] + span - x.shape[2 + i] - a.padding[i];
    after[i] = std::max<int64_t>(reached, 0);
  }
  return after;
}

namespace {

// Whether Winograd's transform saves more multiplications than it costs in reading its larger weights, up to
// four times the size: measured, it pays from images of about 12×12 on, and never for 7×7.
bool winsWithWinograd(const Conv2dAttributes& a, const Tensor& x, const Tensor& weight, const Tensor& y) {
  const bool transformable = weight.shape[2] == 3 && weight.shape[3] == 3 && a.stride == Pair{1, 1} &&
                             a.dilation == Pair{1, 1} && a.groups == 1 && x.shape[1] % 16 == 0 &&
                             y.shape[1] % 16 == 0;
  constexpr int64_t fewestPixels = 144;
  return transformable && y.shape[2] * y.shape[3] >= fewestPixels;
}

}  // namespace

void CpuEngine::conv2d(const Conv2dAttributes& a, Tensor& x, Tensor& weight, Tensor* bias, Tensor* add,
                       Tensor& y) {
  if (convolvesSplit(a, weight)) {
    convolveSplit(a, x, weight, bias, add, y);
    return;
  }
  const bool isSimple = a.activation == Activation::None || a.activation == Activation::Relu ||
                        a.activation == Activation::Relu6;
  if (!isSimple && a.groups > 1 && computeType(x.dtype) == DType::BFloat16) {
    // oneDNN 2.6.3 chooses jit:avx512_core_bf16 for few channels in a group, and then fails to make it with
    // gelu, sigmoid or swish.
    Conv2dAttributes unfused = a;
    unfused.activation = Activation::None;
    conv2d(unfused, x, weight, bias, add, y);
    activate(a.activation, y, y);
    return;
  }
  const auto key = Key('c')
                       .with(a)
                       .with(computeType(x.dtype))
                       .with(x.shape)
                       .with(weight.shape)
                       .with(bias != nullptr)
                       .with(add != nullptr);
  const auto& primitive = compiled(key.text(), [&] {
    return compiledOf<dnnl::convolution_forward>(chooseConv2d(a, x, weight, bias, add != nullptr, y));
  });

  Buffer heldX;
  Buffer heldWeight;
  Buffer heldBias;
  Arguments arguments{{DNNL_ARG_SRC, in(primitive.x, x, heldX)},
                      {DNNL_ARG_WEIGHTS, packed(primitive.weight, weight, heldWeight)}};
  if (bias != nullptr) {
    arguments[DNNL_ARG_BIAS] = in(plain(bias->shape, DType::Float32), *bias, heldBias);
  }
  Buffer result = add != nullptr ? addend(primitive.y, *add) : allocate(primitive.y);
  arguments[DNNL_ARG_DST] = view(result);
  execute(primitive, std::move(arguments));
  store(std::move(result), y);
}

dnnl::convolution_forward::primitive_desc CpuEngine::chooseConv2d(const Conv2dAttributes& a, const Tensor& x,
                                                                  const Tensor& weight, const Tensor* bias,
                                                                  bool add, const Tensor& y) const {
  const DType type = computeType(x.dtype);
  // Winograd works in blocks of 16 channels, and so do the implementations that are left for bfloat16 where
  // there are no tiles. All of a network is kept so, for a reorder costs more than is won.
  const bool inBlocks = hasAvx512_ && (type == DType::Float32 || !multipliesInTiles_) && a.groups == 1;
  const auto layout = [&](const Shape& shape) {
    const bool image = shape[1] <= 3;
    const auto tag = inBlocks && shape[1] % 16 == 0 ? format_tag::nChw16c
                     : inBlocks && image            ? format_tag::nchw
                                                    : format_tag::any;
    return Layout(shape, onednnType(type), tag);
  };
  Shape weightShape = weight.shape;
  if (a.groups > 1) {
    weightShape[0] /= a.groups;
    weightShape.insert(weightShape.begin(), a.groups);
  }
  const Layout biasLayout = bias != nullptr ? plain(bias->shape, DType::Float32) : Layout();
  const auto describeAs = [&](algorithm kind) {
    return describe<dnnl::convolution_forward>(
        engine_, fused(attributes(), add, a.activation), prop_kind::forward_inference, kind, layout(x.shape),
        Layout(weightShape, onednnType(type), format_tag::any), biasLayout, layout(y.shape), dims(a.stride),
        dilates(a.dilation), dims(a.padding), paddingAfter(a, x, weight, y));
  };
  if (inBlocks && type == DType::Float32 && hasWinograd_ && a.algorithm == ConvAlgorithm::Fast &&
      winsWithWinograd(a, x, weight, y)) {
    try {
      return describeAs(algorithm::convolution_winograd);
    } catch (const dnnl::error& error) {
      if (error.status != dnnl_unimplemented) {
        throw;
      }
    }
  }
  return describeAs(algorithm::convolution_direct);
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
