#include "cpu/engine.h"

namespace cudnn_resnet::cpu {

void CpuEngine::softmax(Tensor& x, Tensor& y) {
  // oneDNN has fast code only where a pixel's channels lie beside each other.
  const bool ofPixels = x.shape.size() == 4 && x.shape[2] * x.shape[3] > 1;
  const Layout layout =
      ofPixels ? Layout(x.shape, onednnType(computeType(x.dtype)), dnnl::memory::format_tag::nhwc)
               : currentLayout(x);
  const auto& primitive = compiled(Key('s').with(layout).text(), [&]() -> Compiled {
    const auto chosen = describeSoftmax(engine_, attributes(), layout);
    return {dnnl::softmax_forward(chosen), layout, {}, layout, chosen.scratchpad_desc()};
  });
  Buffer held;
  Buffer result = allocate(layout);
  execute(primitive, {{DNNL_ARG_SRC, in(layout, x, held)}, {DNNL_ARG_DST, view(result)}});
  store(std::move(result), y);
}

}  // namespace cudnn_resnet::cpu
