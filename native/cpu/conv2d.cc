#include "cpu/conv2d.h"

#include <algorithm>

#include "cpu/engine.h"
#include "cpu/winograd.h"

namespace cudnn_resnet::cpu {

using format_tag = dnnl::memory::format_tag;

dnnl::memory::dims dims(const Pair& pair) { return {pair[0], pair[1]}; }

dnnl::memory::dims dilates(const Pair& dilation) { return {dilation[0] - 1, dilation[1] - 1}; }

dnnl::memory::dims paddingAfter(const Pair& window, const Pair& stride, const Pair& padding, const Tensor& x,
                                const Tensor& y) {
  dnnl::memory::dims after(2);
  for (size_t i = 0; i < 2; ++i) {
    const int64_t reached = (y.shape[2 + i] - 1) * stride[i] + window[i] - x.shape[2 + i] - padding[i];
    after[i] = std::max<int64_t>(reached, 0);
  }
  return after;
}

dnnl::memory::dims paddingAfter(const Conv2dAttributes& a, const Tensor& x, const Tensor& weight,
                                const Tensor& y) {
  const Pair window{a.dilation[0] * (weight.shape[2] - 1) + 1, a.dilation[1] * (weight.shape[3] - 1) + 1};
  return paddingAfter(window, a.stride, a.padding, x, y);
}

Shape withImages(Shape shape, int64_t images) {
  shape[0] = images;
  return shape;
}

namespace {

// Of what is convolved in parts: image behind image.
Layout inBlocksOf16(const Shape& shape) { return {shape, dnnl::memory::data_type::f32, format_tag::nChw16c}; }

}  // namespace

// By Winograd's transform, for which oneDNN wants blocks of 16 channels.
bool CpuEngine::transforms(const Conv2dAttributes& a, const Tensor& weight, const Tensor& y) const {
  return hasWinograd_ && computeType(y.dtype) == DType::Float32 && a.algorithm == ConvAlgorithm::Fast &&
         weight.shape[2] == 3 && weight.shape[3] == 3 && a.stride == Pair{1, 1} && a.dilation == Pair{1, 1} &&
         a.groups == 1 && weight.shape[0] % 16 == 0 && weight.shape[1] % 16 == 0 &&
         winsWithWinograd(y.shape[2], y.shape[3]);
}

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
  const int64_t batch = x.shape[0];
  const int64_t together =
      transforms(a, weight, y) ? imagesToTransform(batch, weight.shape[1], weight.shape[0]) : batch;
  const auto ofImages = [&](int64_t images) -> const Compiled& {
    const auto key = Key('c')
                         .with(a)
                         .with(computeType(x.dtype))
                         .with(withImages(x.shape, images))
                         .with(weight.shape)
                         .with(bias != nullptr)
                         .with(add != nullptr);
    return compiled(key.text(), [&] {
      return compiledOf<dnnl::convolution_forward>(
          chooseConv2d(a, images, x, weight, bias, add != nullptr, y));
    });
  };

  Buffer heldX;
  Buffer heldWeight;
  Buffer heldBias;
  const bool inParts = together < batch;
  const dnnl::memory values = in(inParts ? inBlocksOf16(x.shape) : ofImages(batch).x, x, heldX);
  const Layout layout = inParts ? inBlocksOf16(y.shape) : ofImages(batch).y;
  Buffer result = add != nullptr ? addend(layout, *add) : allocate(layout);
  const dnnl::memory shift =
      bias != nullptr ? in(plain(bias->shape, DType::Float32), *bias, heldBias) : dnnl::memory();
  const auto at = [batch](void* data, const Layout& whole, int64_t image) {
    return static_cast<std::byte*>(data) +
           whole.get_size() / static_cast<size_t>(batch) * static_cast<size_t>(image);
  };
  for (int64_t first = 0; first < batch; first += together) {
    const Compiled& primitive = ofImages(std::min(together, batch - first));
    Arguments arguments{
        {DNNL_ARG_SRC, view(primitive.x, at(values.get_data_handle(), values.get_desc(), first))},
        {DNNL_ARG_WEIGHTS, packed(primitive.weight, weight, heldWeight)},
        {DNNL_ARG_DST, view(primitive.y, at(result.block.get(), layout, first))}};
    if (bias != nullptr) {
      arguments[DNNL_ARG_BIAS] = shift;
    }
    execute(primitive, std::move(arguments));
  }
  store(std::move(result), y);
}

dnnl::convolution_forward::primitive_desc CpuEngine::chooseConv2d(const Conv2dAttributes& a, int64_t images,
                                                                  const Tensor& x, const Tensor& weight,
                                                                  const Tensor* bias, bool add,
                                                                  const Tensor& y) const {
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
        engine_, fused(attributes(), add, a.activation), prop_kind::forward_inference, kind,
        layout(withImages(x.shape, images)), Layout(weightShape, onednnType(type), format_tag::any),
        biasLayout, layout(withImages(y.shape, images)), dims(a.stride), dilates(a.dilation), dims(a.padding),
        paddingAfter(a, x, weight, y));
  };
  if (transforms(a, weight, y)) {
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
  if (auto& storage = storageOf(residual); residual.lastRead() && !storage.isShared()) {
    return storage.take();
  }
  buffer = allocate(layout);
  reorder(source, view(buffer));
  return buffer;
}

}  // namespace cudnn_resnet::cpu
