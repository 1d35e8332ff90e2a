#include "cpu/conv2d.h"
#include "cpu/engine.h"

namespace cudnn_resnet::cpu {
namespace {

algorithm pooling(PoolKind kind) {
  switch (kind) {
    case PoolKind::Max:
      return algorithm::pooling_max;
    case PoolKind::AverageIncludingPadding:
      return algorithm::pooling_avg_include_padding;
    case PoolKind::AverageExcludingPadding:
      return algorithm::pooling_avg_exclude_padding;
  }
  throw Error(ErrorCode::Native, "a kind of pooling without a name");
}

}  // namespace

void CpuEngine::pool2d(const Pool2dAttributes& a, Tensor& x, Tensor& y) {
  const Layout layout = currentLayout(x);
  const auto& primitive = compiled(Key('p').with(a).with(layout).text(), [&]() -> Compiled {
    const Layout any(y.shape, elementType(layout), dnnl::memory::format_tag::any);
    const auto chosen = describePooling(engine_, attributes(), pooling(a.kind), layout, any, a,
                                        paddingAfter(a.kernel, a.stride, a.padding, x.shape, y.shape));
    return {dnnl::pooling_forward(chosen), layout, {}, chosen.dst_desc(), chosen.scratchpad_desc()};
  });
  Buffer held;
  Buffer result = allocate(primitive.y);
  execute(primitive, {{DNNL_ARG_SRC, in(layout, x, held)}, {DNNL_ARG_DST, view(result)}});
  store(std::move(result), y);
}

}  // namespace cudnn_resnet::cpu
