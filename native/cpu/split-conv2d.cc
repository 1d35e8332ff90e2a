// Convolutions of float32 by products of bfloat16, of which a processor with tiles (AMX) computes 16 times as
// many. With x = high(x) + low(x) and the same of the weight w,
//
//   x ∗ w = high(x) ∗ high(w) + low(x) ∗ high(w) + high(x) ∗ low(w)
//
// but for low(x) ∗ low(w) and for what the halves leave of the values: some 2^-18 each. Sums are float32.
#include <optional>

#include "core/exchanged.h"
#include "cpu/conv2d.h"
#include "cpu/engine.h"
#include "cpu/parallel.h"
#include "cpu/split.h"

namespace cudnn_resnet::cpu {
namespace {

Layout channelsLast(const Shape& shape, DType dtype) {
  return {shape, onednnType(dtype), dnnl::memory::format_tag::nhwc};
}

void splitInParallel(const float* from, uint16_t* high, uint16_t* low, size_t count) {
  parallel(count,
           [=](size_t begin, size_t length) { split(from + begin, high + begin, low + begin, length); });
}

}  // namespace

bool CpuEngine::convolvesSplit(const Conv2dAttributes& a, const Tensor& weight) const {
  const bool fillsTiles = weight.shape[0] % 16 == 0 && (weight.shape[1] % 16 == 0 || weight.shape[1] == 3);
  return multipliesInTiles_ && a.algorithm == ConvAlgorithm::Fast &&
         computeType(weight.dtype) == DType::Float32 && fillsTiles && a.groups == 1 &&
         a.dilation == Pair{1, 1};
}

void CpuEngine::convolveSplit(const Conv2dAttributes& a, Tensor& x, Tensor& weight, Tensor* bias, Tensor* add,
                              Tensor& y) {
  const int64_t batch = x.shape[0];
  const int64_t xImage = x.size() / batch;
  const int64_t yImage = y.size() / batch;
  const int64_t together = imagesTogether(batch, (2 * xImage + yImage) * static_cast<int64_t>(sizeof(float)));
  const Buffer high = allocate(channelsLast(withImages(x.shape, together), DType::BFloat16));
  const Buffer low = allocate(high.layout);
  const std::unique_ptr<Halves> ofThisRun = weight.ofEachRun ? splitWeight(weight) : nullptr;
  Halves& weights = ofThisRun ? *ofThisRun : halvesOf(weight);
  Buffer heldBias;
  const dnnl::memory shift = inFloat32(bias, heldBias);

  // Which of the three, of so many images: the first has the bias, the last the activation.
  const auto product = [&](int64_t images, bool withBias, bool sum, bool last) -> const Compiled& {
    Conv2dAttributes ofProduct = a;
    ofProduct.activation = last ? a.activation : Activation::None;
    const Shape shape = withImages(x.shape, images);
    const auto key = Key('t').with(ofProduct).with(shape).with(weight.shape).with(withBias).with(sum);
    return compiled(key.text(), [&] {
      return compileConv2d(ofProduct, algorithm::convolution_direct, channelsLast(shape, DType::BFloat16),
                           weight.shape, withBias, sum,
                           channelsLast(withImages(y.shape, images), DType::Float32));
    });
  };
  const auto convolve = [&](void* from, void* to, int64_t images) {
    perform([from = static_cast<const float*>(from), toHigh = static_cast<uint16_t*>(high.block.get()),
             toLow = static_cast<uint16_t*>(low.block.get()),
             count = static_cast<size_t>(images * xImage)] { splitInParallel(from, toHigh, toLow, count); });
    multiply(product(images, bias != nullptr, add != nullptr, false), high.block.get(), weights.high, shift,
             to);
    multiply(product(images, false, true, false), low.block.get(), weights.high, {}, to);
    multiply(product(images, false, true, true), high.block.get(), weights.low, {}, to);
  };
  convolveInParts(together, channelsLast(x.shape, DType::Float32), x, channelsLast(y.shape, DType::Float32),
                  add, y, convolve);
}

Halves& CpuEngine::halvesOf(Tensor& weight) {
  auto& storage = static_cast<CpuStorage&>(*weight.storage);
  if (storage.halves() == nullptr) {
    // As what is packed, they are no part of a computation that is being captured.
    const CachingAllocator::Apart apart(*allocator_);
    const Exchanged<Captured*> now(captured_, nullptr);
    std::optional<Tensor> made;
    storage.keepHalves(splitWeight(inOnePiece(weight, made)));
  }
  return *storage.halves();
}

std::unique_ptr<Halves> CpuEngine::splitWeight(Tensor& weight) {
  Buffer held;
  const dnnl::memory values = in(plain(weight.shape, DType::Float32), weight, held);
  auto halves = allocateHalves(weight.shape);
  halves->high.ofEachRun = halves->low.ofEachRun = weight.ofEachRun;
  perform([from = static_cast<const float*>(values.get_data_handle()),
           high = elementsOf<uint16_t>(halves->high), low = elementsOf<uint16_t>(halves->low),
           count = static_cast<size_t>(weight.size())] { splitInParallel(from, high, low, count); });
  return halves;
}

std::unique_ptr<Halves> CpuEngine::allocateHalves(const Shape& shape) {
  const Layout layout = plain(shape, DType::BFloat16);
  return std::make_unique<Halves>(shape, allocate(layout), allocate(layout));
}

}  // namespace cudnn_resnet::cpu
