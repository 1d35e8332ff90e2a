#include "cpu/conv2d.h"

#include <algorithm>

#include "cpu/engine.h"
#include "cpu/winograd.h"

namespace cudnn_resnet::cpu {

using format_tag = dnnl::memory::format_tag;

dnnl::memory::dims paddingAfter(const Pair& window, const Pair& stride, const Pair& padding, const Shape& x,
                                const Shape& y) {
  dnnl::memory::dims after(2);
  for (size_t i = 0; i < 2; ++i) {
    after[i] = std::max<int64_t>((y[2 + i] - 1) * stride[i] + window[i] - x[2 + i] - padding[i], 0);
  }
  return after;
}

Shape withImages(Shape shape, int64_t images) {
  shape[0] = images;
  return shape;
}

namespace {

dnnl::memory::dims dims(const Pair& pair) { return {pair[0], pair[1]}; }

// Of what is convolved in parts: image behind image.
Layout inBlocksOf16(const Shape& shape) { return {shape, dnnl::memory::data_type::f32, format_tag::nChw16c}; }

}  // namespace

// By Winograd's transform, for which oneDNN wants blocks of 16 channels.
bool CpuEngine::usesWinograd(const Conv2dAttributes& a, const Tensor& weight, const Tensor& y) const {
  return hasWinograd_ && computeType(y.dtype) == DType::Float32 && a.algorithm == ConvAlgorithm::Fast &&
         weight.shape[2] == 3 && weight.shape[3] == 3 && a.stride == Pair{1, 1} && a.dilation == Pair{1, 1} &&
         a.groups == 1 && weight.shape[0] % 16 == 0 && weight.shape[1] % 16 == 0 &&
         winsWithWinograd(y.shape[2], y.shape[3], weight.shape[1], weight.shape[0]);
}

void CpuEngine::conv2d(const Conv2dAttributes& a, Tensor& x, Tensor& weight, Tensor* bias, Tensor* add,
                       Tensor& y) {
  Conv2dAttributes unfused = a;
  unfused.activation = Activation::None;
  if (rectifiesHalves(a.activation, y.dtype)) {
    conv2d(unfused, x, weight, bias, add, y);
    rectifyHalves(a.activation, y);
    return;
  }
  if (convolvesSplit(a, weight)) {
    convolveSplit(a, x, weight, bias, add, y);
    return;
  }
  const int64_t batch = x.shape[0];
  const int64_t together =
      usesWinograd(a, weight, y) ? imagesToTransform(batch, weight.shape[1], weight.shape[0]) : batch;
  const auto ofImages = [&](int64_t images) -> const Compiled& {
    const auto key = Key('c')
                         .with(a)
                         .with(computeType(x.dtype))
                         .with(withImages(x.shape, images))
                         .with(weight.shape)
                         .with(bias != nullptr)
                         .with(add != nullptr);
    return compiled(key.text(),
                    [&] { return compileConv2d(a, images, x, weight, bias != nullptr, add != nullptr, y); });
  };
  const bool inParts = together < batch;
  const bool isSimple = a.activation == Activation::None || a.activation == Activation::Relu ||
                        a.activation == Activation::Relu6;
  // oneDNN 2.6.3 chooses jit:avx512_core_bf16 for few channels in a group, and then fails to make it with
  // gelu, sigmoid or swish.
  const bool cannotFuse = !isSimple && a.groups > 1 && computeType(x.dtype) == DType::BFloat16;
  if (cannotFuse || (!isSoundAfterGemm(a.activation) && !inParts && ofImages(batch).byGemm)) {
    conv2d(unfused, x, weight, bias, add, y);
    activate(a.activation, y, y);
    return;
  }
  Buffer heldBias;
  const dnnl::memory shift = inFloat32(bias, heldBias);
  convolveInParts(
      together, inParts ? inBlocksOf16(x.shape) : ofImages(batch).x, x,
      inParts ? inBlocksOf16(y.shape) : ofImages(batch).y, add, y,
      [&](void* from, void* to, int64_t images) { multiply(ofImages(images), from, weight, shift, to); });
}

void CpuEngine::convolveInParts(int64_t together, const Layout& xLayout, Tensor& x, const Layout& yLayout,
                                Tensor* add, Tensor& y, const ConvolveImages& convolve) {
  const auto source = storageOf(x).share();  // where x is the weight too, packing takes this memory from it
  Buffer held;
  const dnnl::memory values = in(xLayout, x, held);
  Buffer result = add != nullptr ? addend(yLayout, *add) : allocate(yLayout);
  const int64_t batch = x.shape[0];
  const auto at = [batch](void* data, const Layout& whole, int64_t image) {
    return static_cast<std::byte*>(data) +
           whole.get_size() / static_cast<size_t>(batch) * static_cast<size_t>(image);
  };
  for (int64_t first = 0; first < batch; first += together) {
    convolve(at(values.get_data_handle(), xLayout, first), at(result.block.get(), yLayout, first),
             std::min(together, batch - first));
  }
  store(std::move(result), y);
}

Compiled CpuEngine::compileConv2d(const Conv2dAttributes& a, int64_t images, const Tensor& x,
                                  const Tensor& weight, bool bias, bool add, const Tensor& y) const {
  const DType type = computeType(x.dtype);
  // Winograd works in blocks of 16 channels, and so do the implementations that are left for bfloat16 where
  // there are no tiles. All of a network is kept so, for a reorder costs more than is won.
  const bool inBlocks = hasAvx512_ && (type == DType::Float32 || !multipliesInTiles_) && a.groups == 1;
  // A result of as few channels as an image has is left to oneDNN: where blocks are to give one in C order,
  // its reference implementation alone is left, which takes a hundred times as long.
  const bool ofImage = x.shape[1] <= 3;
  const auto layout = [&](const Shape& shape, format_tag other) {
    const auto tag = inBlocks && shape[1] % 16 == 0 ? format_tag::nChw16c : other;
    return Layout(withImages(shape, images), onednnType(type), tag);
  };
  const Layout from = layout(x.shape, inBlocks && ofImage ? format_tag::nchw : format_tag::any);
  const Layout to = layout(y.shape, format_tag::any);
  if (usesWinograd(a, weight, y)) {
    try {
      return compileConv2d(a, algorithm::convolution_winograd, from, weight.shape, bias, add, to);
    } catch (const dnnl::error& error) {
      if (error.status != dnnl_unimplemented) {
        throw;
      }
    }
  }
  return compileConv2d(a, algorithm::convolution_direct, from, weight.shape, bias, add, to);
}

Compiled CpuEngine::compileConv2d(const Conv2dAttributes& a, algorithm kind, const Layout& x,
                                  const Shape& weight, bool bias, bool add, const Layout& y) const {
  Shape inGroups = weight;
  if (a.groups > 1) {
    inGroups[0] /= a.groups;
    inGroups.insert(inGroups.begin(), a.groups);
  }
  const Pair window{a.dilation[0] * (weight[2] - 1) + 1, a.dilation[1] * (weight[3] - 1) + 1};
  const auto chosen = describe<dnnl::convolution_forward>(
      engine_, fused(add, a.activation), prop_kind::forward_inference, kind, x,
      Layout(inGroups, elementType(x), format_tag::any), bias ? plain({weight[0]}, DType::Float32) : Layout(),
      y, dims(a.stride),
      dnnl::memory::dims{a.dilation[0] - 1, a.dilation[1] - 1},  // oneDNN counts dilation from 0
      dims(a.padding), paddingAfter(window, a.stride, a.padding, dimensions(x), dimensions(y)));
  return compiledOf<dnnl::convolution_forward>(chosen);
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
