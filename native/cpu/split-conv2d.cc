// Convolutions of float32 by products of bfloat16, of which a processor with tiles (AMX) computes 16 times as
// many. With x = high(x) + low(x) and the same of the weight w,
//
//   x ∗ w = high(x) ∗ high(w) + low(x) ∗ high(w) + high(x) ∗ low(w)
//
// but for low(x) ∗ low(w) and for what the halves leave of the values: some 2^-18 each. Sums are float32.
#include <algorithm>
#include <array>
#include <optional>
#include <utility>

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

  Buffer heldX;
  Buffer heldWeight;
  Buffer heldBias;
  const dnnl::memory values = in(channelsLast(x.shape, DType::Float32), x, heldX);
  Buffer high = allocate(channelsLast(withImages(x.shape, together), DType::BFloat16));
  Buffer low = allocate(high.layout);
  const Layout layout = channelsLast(y.shape, DType::Float32);
  Buffer result = add != nullptr ? addend(layout, *add) : allocate(layout);

  const std::unique_ptr<Halves> ofThisRun = weight.ofEachRun ? splitWeight(weight) : nullptr;
  Halves& weights = ofThisRun ? *ofThisRun : halvesOf(weight);

  struct Product {
    const Buffer& x;
    Tensor& weight;
    Tensor* bias;
    bool sum;
    Activation activation;
  };
  const std::array products{Product{high, weights.high, bias, add != nullptr, Activation::None},
                            Product{low, weights.high, nullptr, true, Activation::None},
                            Product{high, weights.low, nullptr, true, a.activation}};
  for (int64_t first = 0; first < batch; first += together) {
    const int64_t images = std::min(together, batch - first);
    perform([from = static_cast<const float*>(values.get_data_handle()) + first * xImage,
             toHigh = static_cast<uint16_t*>(high.block.get()),
             toLow = static_cast<uint16_t*>(low.block.get()),
             count = static_cast<size_t>(images * xImage)] { splitInParallel(from, toHigh, toLow, count); });
    for (const Product& product : products) {
      Conv2dAttributes fusedHere = a;
      fusedHere.activation = product.activation;
      const Shape shape = withImages(x.shape, images);
      const auto key = Key('t')
                           .with(fusedHere)
                           .with(shape)
                           .with(weight.shape)
                           .with(product.bias != nullptr)
                           .with(product.sum);
      const auto& primitive = compiled(key.text(), [&] {
        const auto chosen = describe<dnnl::convolution_forward>(
            engine_, fused(attributes(), product.sum, product.activation), prop_kind::forward_inference,
            algorithm::convolution_direct, channelsLast(shape, DType::BFloat16),
            Layout(weight.shape, onednnType(DType::BFloat16), dnnl::memory::format_tag::any),
            product.bias != nullptr ? plain(bias->shape, DType::Float32) : Layout(),
            channelsLast(withImages(y.shape, images), DType::Float32), dims(a.stride), dilates(a.dilation),
            dims(a.padding), paddingAfter(a, x, weight, y));
        return compiledOf<dnnl::convolution_forward>(chosen);
      });
      Arguments arguments{
          {DNNL_ARG_SRC, view(primitive.x, product.x.block.get())},
          {DNNL_ARG_WEIGHTS, packed(primitive.weight, product.weight, heldWeight)},
          {DNNL_ARG_DST, view(primitive.y, static_cast<float*>(result.block.get()) + first * yImage)}};
      if (product.bias != nullptr) {
        arguments[DNNL_ARG_BIAS] = in(plain(bias->shape, DType::Float32), *bias, heldBias);
      }
      execute(primitive, std::move(arguments));
    }
  }
  store(std::move(result), y);
}

Halves& CpuEngine::halvesOf(Tensor& weight) {
  auto& storage = static_cast<CpuStorage&>(*weight.storage);
  if (storage.halves() == nullptr) {
    // As what is packed, they are no part of a computation that is being captured.
    const CachingAllocator::Apart apart(*allocator_);
    const Exchanged<Steps*> now(captured_, nullptr);
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
