// oneDNN, and what differs between its 2.x and 3.x interfaces, so that the rest of this room is written once.
#pragma once

#include <cstdint>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <string_view>

#include "core/attributes.h"

namespace cudnn_resnet::cpu {

using Layout = dnnl::memory::desc;
using dnnl::algorithm;
using dnnl::prop_kind;

// Whether one set of instructions has all of another: its number has the bits of those that it includes, and
// AVX2's newer ones are greater numbers than AVX-512's.
constexpr bool includes(dnnl::cpu_isa set, dnnl::cpu_isa other) {
  return (static_cast<uint32_t>(set) & static_cast<uint32_t>(other)) == static_cast<uint32_t>(other);
}

// Of what this processor has and oneDNN may use.
inline bool hasInstructions(dnnl::cpu_isa set) { return includes(dnnl::get_effective_cpu_isa(), set); }

// From what oneDNN would take on to the first that is not known to be wrong. The brgconv of 2.6.3 and of 3.2
// gives wrong values for many shapes whose windows move by more than a pixel or lie in padding, in float32
// where it adds, in bfloat16 and by AMX in any case, and writes beyond its memory for some. Its brgconv_1x1
// is sound.
template <typename Description>
void skipUnsound(Description& chosen) {
  while (std::string_view(chosen.impl_info_str()).starts_with("brgconv:") && chosen.next_impl()) {
  }
}

#if DNNL_VERSION_MAJOR >= 3

// Chooses an implementation of primitive P.
template <typename P, typename... Arguments>
typename P::primitive_desc describe(const dnnl::engine& engine, const dnnl::primitive_attr& attributes,
                                    const Arguments&... arguments) {
  typename P::primitive_desc chosen(engine, arguments..., attributes);
  skipUnsound(chosen);
  return chosen;
}

inline auto describeEltwise(const dnnl::engine& engine, const dnnl::primitive_attr& attributes,
                            algorithm kind, const Layout& layout, float alpha, float beta) {
  return describe<dnnl::eltwise_forward>(engine, attributes, prop_kind::forward_inference, kind, layout,
                                         layout, alpha, beta);
}

inline auto describePooling(const dnnl::engine& engine, const dnnl::primitive_attr& attributes,
                            algorithm kind, const Layout& x, const Layout& y, const Pool2dAttributes& pool,
                            const dnnl::memory::dims& paddingAfter) {
  return describe<dnnl::pooling_forward>(
      engine, attributes, prop_kind::forward_inference, kind, x, y,
      dnnl::memory::dims(pool.stride.begin(), pool.stride.end()),
      dnnl::memory::dims(pool.kernel.begin(), pool.kernel.end()), dnnl::memory::dims{0, 0},
      dnnl::memory::dims(pool.padding.begin(), pool.padding.end()), paddingAfter);
}

inline auto describeSoftmax(const dnnl::engine& engine, const dnnl::primitive_attr& attributes,
                            const Layout& layout) {
  return describe<dnnl::softmax_forward>(engine, attributes, prop_kind::forward_inference,
                                         algorithm::softmax_accurate, layout, layout, 1);
}

inline auto describeBatchNorm(const dnnl::engine& engine, const dnnl::primitive_attr& attributes,
                              prop_kind kind, const Layout& layout, float epsilon,
                              dnnl::normalization_flags flags) {
  return describe<dnnl::batch_normalization_forward>(engine, attributes, kind, layout, layout, epsilon,
                                                     flags);
}

inline void appendEltwise(dnnl::post_ops& ops, algorithm kind, float alpha, float beta) {
  ops.append_eltwise(kind, alpha, beta);
}

inline bool isBlocked(const Layout& layout) {
  return layout.get_format_kind() == dnnl::memory::format_kind::blocked;
}

inline dnnl::memory::dims dimensions(const Layout& layout) { return layout.get_dims(); }
inline dnnl::memory::data_type elementType(const Layout& layout) { return layout.get_data_type(); }

// Bytes that tell layouts apart.
inline std::string key(const Layout& layout) {
  std::string text;
  const auto append = [&text](const dnnl::memory::dims& values) {
    for (const auto value : values) {
      text += std::to_string(value) + ' ';
    }
    text += ';';
  };
  append({static_cast<int64_t>(layout.get_data_type()), static_cast<int64_t>(layout.get_format_kind()),
          layout.get_submemory_offset(), static_cast<int64_t>(layout.get_size())});
  append(layout.get_dims());
  append(layout.get_padded_dims());
  if (isBlocked(layout)) {
    append(layout.get_strides());
    append(layout.get_inner_blks());
    append(layout.get_inner_idxs());
  }
  return text;
}

#else

template <typename P, typename... Arguments>
typename P::primitive_desc describe(const dnnl::engine& engine, const dnnl::primitive_attr& attributes,
                                    const Arguments&... arguments) {
  const typename P::desc description(arguments...);  // must live as long as it is chosen from
  typename P::primitive_desc chosen(description, attributes, engine);
  skipUnsound(chosen);
  return chosen;
}

inline auto describeEltwise(const dnnl::engine& engine, const dnnl::primitive_attr& attributes,
                            algorithm kind, const Layout& layout, float alpha, float beta) {
  return describe<dnnl::eltwise_forward>(engine, attributes, prop_kind::forward_inference, kind, layout,
                                         alpha, beta);
}

inline auto describePooling(const dnnl::engine& engine, const dnnl::primitive_attr& attributes,
                            algorithm kind, const Layout& x, const Layout& y, const Pool2dAttributes& pool,
                            const dnnl::memory::dims& paddingAfter) {
  return describe<dnnl::pooling_forward>(engine, attributes, prop_kind::forward_inference, kind, x, y,
                                         dnnl::memory::dims(pool.stride.begin(), pool.stride.end()),
                                         dnnl::memory::dims(pool.kernel.begin(), pool.kernel.end()),
                                         dnnl::memory::dims(pool.padding.begin(), pool.padding.end()),
                                         paddingAfter);
}

inline auto describeSoftmax(const dnnl::engine& engine, const dnnl::primitive_attr& attributes,
                            const Layout& layout) {
  return describe<dnnl::softmax_forward>(engine, attributes, prop_kind::forward_inference, layout, 1);
}

inline auto describeBatchNorm(const dnnl::engine& engine, const dnnl::primitive_attr& attributes,
                              prop_kind kind, const Layout& layout, float epsilon,
                              dnnl::normalization_flags flags) {
  return describe<dnnl::batch_normalization_forward>(engine, attributes, kind, layout, epsilon, flags);
}

inline void appendEltwise(dnnl::post_ops& ops, algorithm kind, float alpha, float beta) {
  ops.append_eltwise(1.0F, kind, alpha, beta);
}

inline bool isBlocked(const Layout& layout) { return layout.data.format_kind == dnnl_blocked; }

inline dnnl::memory::dims dimensions(const Layout& layout) { return layout.dims(); }
inline dnnl::memory::data_type elementType(const Layout& layout) { return layout.data_type(); }

inline std::string key(const Layout& layout) {
  return {reinterpret_cast<const char*>(&layout.data), sizeof(layout.data)};
}

#endif

}  // namespace cudnn_resnet::cpu
