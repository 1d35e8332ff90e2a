// Activations and the addition of two tensors: what works element by element, in any layout.
#include "cpu/engine.h"
#include "cpu/parallel.h"

namespace cudnn_resnet::cpu {
namespace {

// oneDNN's name of an activation, with its parameters.
struct Eltwise {
  algorithm kind;
  float alpha, beta;
};

Eltwise eltwise(Activation activation) {
  switch (activation) {
    case Activation::None:
      return {algorithm::eltwise_linear, 1, 0};
    case Activation::Relu:
      return {algorithm::eltwise_relu, 0, 0};
    case Activation::Relu6:
      return {algorithm::eltwise_clip, 0, 6};
    case Activation::Sigmoid:
      return {algorithm::eltwise_logistic, 0, 0};
    case Activation::Tanh:
      return {algorithm::eltwise_tanh, 0, 0};
    case Activation::Gelu:
      return {algorithm::eltwise_gelu_erf, 0, 0};
    case Activation::Swish:
      return {algorithm::eltwise_swish, 1, 0};
  }
  throw Error(ErrorCode::Native, "an activation without a name");
}

}  // namespace

dnnl::primitive_attr CpuEngine::fused(bool sum, Activation activation) const {
  dnnl::post_ops ops;
  if (sum) {
    ops.append_sum();
  }
  if (activation != Activation::None) {
    const auto [kind, alpha, beta] = eltwise(activation);
    appendEltwise(ops, kind, alpha, beta);
  }
  dnnl::primitive_attr result = attributes();
  result.set_post_ops(ops);
  return result;
}

void CpuEngine::runEltwise(Activation activation, const dnnl::memory& from, const dnnl::memory& to) {
  const Layout layout = from.get_desc();
  const auto& primitive = compiled(Key('e').with(activation).with(layout).text(), [&]() -> Compiled {
    const auto [kind, alpha, beta] = eltwise(activation);
    const auto chosen = describeEltwise(engine_, attributes(), kind, layout, alpha, beta);
    return {dnnl::eltwise_forward(chosen), layout, {}, layout, chosen.scratchpad_desc()};
  });
  execute(primitive, {{DNNL_ARG_SRC, from}, {DNNL_ARG_DST, to}});
}

bool CpuEngine::rectifiesHalves(Activation activation, DType dtype) noexcept {
  return dtype == DType::Float16 && (activation == Activation::Relu || activation == Activation::Relu6);
}

void CpuEngine::rectifyHalves(Activation activation, Tensor& y) {
  constexpr uint16_t infinity = 0x7c00;
  constexpr uint16_t six = 0x4600;
  constexpr uint16_t sign = 0x8000;
  const uint16_t largest = activation == Activation::Relu6 ? six : infinity;
  perform(
      [values = static_cast<uint16_t*>(storageOf(y).data()), largest, count = static_cast<size_t>(y.size())] {
        parallel(count, [=](size_t begin, size_t length) {
          for (size_t i = begin; i < begin + length; ++i) {
            const uint16_t bits = values[i];
            const bool isNegative = bits >= sign && bits <= (sign | infinity);
            const bool isLarge = bits > largest && bits <= infinity;
            values[i] = isNegative ? uint16_t{0} : isLarge ? largest : bits;
          }
        });
      });
}

void CpuEngine::activate(Activation activation, Tensor& x, Tensor& y) {
  if (rectifiesHalves(activation, y.dtype)) {
    activate(Activation::None, x, y);
    rectifyHalves(activation, y);
    return;
  }
  const Layout layout = currentLayout(x);
  Buffer held;
  const dnnl::memory source = in(layout, x, held);
  Buffer result = allocate(layout);
  runEltwise(activation, source, view(result));
  store(std::move(result), y);
}

void CpuEngine::add(Activation activation, Tensor& a, Tensor& b, Tensor& y) {
  if (rectifiesHalves(activation, y.dtype)) {
    add(Activation::None, a, b, y);
    rectifyHalves(activation, y);
    return;
  }
  const Layout layout = currentLayout(a);
  Buffer heldA;
  Buffer heldB;
  const dnnl::memory first = in(layout, a, heldA);
  const dnnl::memory second = in(layout, b, heldB);
  // With an activation oneDNN 2.6's jit:uni writes beyond its memory where 4 or 8 channels are a block.
  const bool safe = layout == plain(a.shape, computeType(a.dtype)) ||
                    (a.shape.size() == 4 && layout == Layout(a.shape, onednnType(computeType(a.dtype)),
                                                             dnnl::memory::format_tag::nChw16c));
  const Activation within = safe ? activation : Activation::None;
  const auto& primitive = compiled(Key('a').with(within).with(layout).text(), [&]() -> Compiled {
    const auto chosen =
        describe<dnnl::binary>(engine_, fused(false, within), algorithm::binary_add, layout, layout, layout);
    return {dnnl::binary(chosen), layout, {}, layout, chosen.scratchpad_desc()};
  });
  Buffer result = allocate(layout);
  execute(primitive, {{DNNL_ARG_SRC_0, first}, {DNNL_ARG_SRC_1, second}, {DNNL_ARG_DST, view(result)}});
  if (within != activation) {
    runEltwise(activation, view(result), view(result));
  }
  store(std::move(result), y);
}

}  // namespace cudnn_resnet::cpu
