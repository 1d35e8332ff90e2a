#include "cpu/split.h"

#include <algorithm>
#include <bit>

#include "cpu/onednn.h"
#include "cpu/simd.h"

namespace cudnn_resnet::cpu {
namespace {

constexpr uint32_t magnitude = 0x7fffffffU;
constexpr uint32_t infinity = 0x7f800000U;
constexpr uint32_t quiet = 0x400000U;  // of the bits that tell NaN from infinity one that bfloat16 has

// To the nearest that the upper 16 bits can hold.
constexpr uint32_t rounded(uint32_t bits) { return bits + 0x7fffU + ((bits >> 16U) & 1U); }

constexpr float valueOf(uint32_t upperBits) { return std::bit_cast<float>(upperBits & 0xffff0000U); }

}  // namespace

bool multipliesInTiles() { return hasInstructions(dnnl::cpu_isa::avx512_core_amx); }

CUDNN_RESNET_ON_16_VALUES
void split(const float* __restrict from, uint16_t* __restrict high, uint16_t* __restrict low, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    const auto bits = std::bit_cast<uint32_t>(from[i]);
    const uint32_t nearest = rounded(bits);
    // what would be rounded to infinity is cut off instead
    uint32_t upper = (nearest & magnitude) < infinity ? nearest : bits;
    upper = (bits & magnitude) > infinity ? bits | quiet : upper;
    const uint32_t lower = rounded(std::bit_cast<uint32_t>(from[i] - valueOf(upper)));
    high[i] = static_cast<uint16_t>(upper >> 16U);
    low[i] = static_cast<uint16_t>((bits & magnitude) < infinity ? lower >> 16U : 0U);
  }
}

int64_t imagesTogether(int64_t batch, int64_t bytesPerImage) {
  constexpr int64_t mostBytes = int64_t{12} << 20U;
  return std::clamp<int64_t>(mostBytes / bytesPerImage, 1, batch);
}

}  // namespace cudnn_resnet::cpu
