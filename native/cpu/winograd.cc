#include "cpu/winograd.h"

#include <array>
#include <cstddef>
#include <optional>

#include "cpu/parallel.h"
#include "cpu/simd.h"

namespace cudnn_resnet::cpu {
namespace {

constexpr int64_t block = 16;  // channels that stand side by side
constexpr int64_t taps = 9;    // of a 3×3 window

// A window w becomes G w Gᵀ: its values, as a polynomial's, at some points and at infinity.
template <int tile>
using Transform = std::array<std::array<float, 3>, tile>;

// Of 2×2 pixels: at 0, 1 and -1.
constexpr Transform<4> ofFourPoints{{{1, 0, 0}, {0.5F, 0.5F, 0.5F}, {0.5F, -0.5F, 0.5F}, {0, 0, 1}}};

// Of 4×4 pixels: at 0, 5/8, -5/8, 3/2 and -3/2.
constexpr Transform<6> sixPoints() {
  constexpr double p = 0.625;
  constexpr double q = 1.5;
  const auto at = [](double point, double scale) -> std::array<float, 3> {
    return {static_cast<float>(scale), static_cast<float>(scale * point),
            static_cast<float>(scale * point * point)};
  };
  constexpr double ofP = 1 / (2 * p * p * (p * p - q * q));
  constexpr double ofQ = 1 / (2 * q * q * (q * q - p * p));
  return {{at(0, 1 / (p * p * q * q)), at(p, ofP), at(-p, ofP), at(q, ofQ), at(-q, ofQ), {0, 0, 1}}};
}
constexpr Transform<6> ofSixPoints = sixPoints();

// Where a layout keeps what the windows become: strides, of what stands together and within it.
struct Places {
  int64_t outChannels, inChannels;
  int tile;
  int64_t ofPosition;                         // in the tile
  int64_t blocksTogether, ofBlocks, ofBlock;  // of 16 outputs
  int64_t inputsTogether, ofInputs, ofInput;

  [[nodiscard]] int64_t offset(int64_t outBlock, int64_t input) const {
    return outBlock / blocksTogether * ofBlocks + outBlock % blocksTogether * ofBlock +
           input / inputsTogether * ofInputs + input % inputsTogether * ofInput;
  }
};

#if DNNL_VERSION_MAJOR >= 3

std::optional<Places> places(const Layout& /*layout*/) { return std::nullopt; }

#else

std::optional<Places> places(const Layout& layout) {
  const dnnl_wino_desc_t& wino = layout.data.format_desc.wino_desc;
  if (layout.data.format_kind != dnnl_format_kind_wino || wino.oc_block != block || wino.ic_block != block ||
      layout.dims() != dnnl::memory::dims{wino.oc, wino.ic, 3, 3}) {
    return std::nullopt;
  }
  Places known{};
  known.outChannels = wino.oc;
  known.inChannels = wino.ic;
  known.tile = wino.alpha;
  known.blocksTogether = wino.wino_format == dnnl_wino_wei_aaOio ? 1 : wino.oc2_block;
  const int64_t ofBlocks = known.blocksTogether * block * known.inChannels;
  switch (wino.wino_format) {
    case dnnl_wino_wei_aaOio:
    case dnnl_wino_wei_aaOBiOo:
      known.ofPosition = known.outChannels * known.inChannels;
      known.ofBlocks = ofBlocks;
      known.ofBlock = block;
      known.inputsTogether = known.inChannels;
      known.ofInput = known.blocksTogether * block;
      return known;
    case dnnl_wino_wei_OBaaIBOIio:
      known.ofPosition = ofBlocks;
      known.ofBlocks = ofBlocks * wino.alpha * wino.alpha;
      known.inputsTogether = int64_t{wino.ic2_block} * block;
      known.ofBlock = known.inputsTogether * block;
      known.ofInputs = known.inputsTogether * block * known.blocksTogether;
      known.ofInput = block;
      return known;
    default:
      return std::nullopt;
  }
}

#endif

using Lanes = std::array<float, block>;

// The windows of 16 outputs over one input.
template <int tile>
CUDNN_RESNET_ON_16_VALUES void transformWindows(const Transform<tile>& g,
                                                const std::array<Lanes, taps>& windows, float* to,
                                                int64_t ofPosition) {
  std::array<std::array<Lanes, tile>, 3> rows;
  for (size_t row = 0; row < 3; ++row) {
    for (size_t u = 0; u < tile; ++u) {
      for (size_t lane = 0; lane < block; ++lane) {
        rows[row][u][lane] = windows[row * 3][lane] * g[u][0] + windows[row * 3 + 1][lane] * g[u][1] +
                             windows[row * 3 + 2][lane] * g[u][2];
      }
    }
  }
  for (size_t v = 0; v < tile; ++v) {
    for (size_t u = 0; u < tile; ++u) {
      for (size_t lane = 0; lane < block; ++lane) {
        to[lane] = g[v][0] * rows[0][u][lane] + g[v][1] * rows[1][u][lane] + g[v][2] * rows[2][u][lane];
      }
      to += ofPosition;
    }
  }
}

template <int tile>
void transformWeights(const Transform<tile>& g, const float* weights, const Places& places, float* to) {
  requireRoomForTeam();
#pragma omp parallel for collapse(2)
  for (int64_t outBlock = 0; outBlock < places.outChannels / block; ++outBlock) {
    for (int64_t first = 0; first < places.inChannels; first += block) {
      std::array<std::array<Lanes, taps>, block> windows;
      for (int64_t lane = 0; lane < block; ++lane) {
        const float* from = weights + ((outBlock * block + lane) * places.inChannels + first) * taps;
        for (size_t input = 0; input < block; ++input) {
          for (size_t tap = 0; tap < taps; ++tap) {
            windows[input][tap][static_cast<size_t>(lane)] = *from++;
          }
        }
      }
      for (int64_t input = 0; input < block; ++input) {
        transformWindows<tile>(g, windows[static_cast<size_t>(input)],
                               to + places.offset(outBlock, first + input), places.ofPosition);
      }
    }
  }
}

}  // namespace

bool findsWinograd(const dnnl::engine& engine) {
  const auto layout = [](dnnl::memory::format_tag tag) {
    return Layout({1, 64, 28, 28}, dnnl::memory::data_type::f32, tag);
  };
  try {
    const auto blocked = layout(dnnl::memory::format_tag::nChw16c);
    (void)describe<dnnl::convolution_forward>(
        engine, dnnl::primitive_attr(), prop_kind::forward_inference, algorithm::convolution_winograd,
        blocked, Layout({64, 64, 3, 3}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::any),
        Layout(), blocked, dnnl::memory::dims{1, 1}, dnnl::memory::dims{0, 0}, dnnl::memory::dims{1, 1},
        dnnl::memory::dims{1, 1});
    return true;
  } catch (const dnnl::error& error) {
    if (error.status == dnnl_out_of_memory) {
      throw;
    }
    return false;
  }
}

bool knowsWeights(const Layout& layout) { return places(layout).has_value(); }

void transformWeights(const float* weights, const Layout& layout, float* to) {
  const Places known = *places(layout);
  if (known.tile == 4) {
    transformWeights<4>(ofFourPoints, weights, known, to);
  } else {
    transformWeights<6>(ofSixPoints, weights, known, to);
  }
}

}  // namespace cudnn_resnet::cpu
