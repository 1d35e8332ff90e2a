#include "cpu/engine.h"

namespace cudnn_resnet::cpu {

void CpuEngine::softmax(Tensor& x, Tensor& y) {
  const Layout layout = currentLayout(x);
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
