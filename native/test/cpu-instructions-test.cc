// Which sets of instructions are taken for which: processors of the desktop have the newer ones of AVX2
// alone.
#ifdef CUDNN_RESNET_CPU

#include <gtest/gtest.h>

#include "cpu/onednn.h"

namespace cudnn_resnet::cpu {
namespace {

using dnnl::cpu_isa;

TEST(Instructions, NewerOnesOfAvx2AreNoAvx512) {
  EXPECT_TRUE(includes(cpu_isa::avx2_vnni, cpu_isa::avx2));
  for (const cpu_isa set : {cpu_isa::avx512_core, cpu_isa::avx512_core_bf16, cpu_isa::avx512_core_amx}) {
    EXPECT_FALSE(includes(cpu_isa::avx2_vnni, set));
  }
}

TEST(Instructions, ThoseOfAvx512IncludeTheOlderOnes) {
  EXPECT_TRUE(includes(cpu_isa::avx512_core_amx, cpu_isa::avx512_core_bf16));
  EXPECT_TRUE(includes(cpu_isa::avx512_core_bf16, cpu_isa::avx512_core));
  EXPECT_TRUE(includes(cpu_isa::avx512_core, cpu_isa::avx2));
  EXPECT_FALSE(includes(cpu_isa::avx512_core, cpu_isa::avx512_core_bf16));
  EXPECT_FALSE(includes(cpu_isa::avx2, cpu_isa::avx512_core));
}

}  // namespace
}  // namespace cudnn_resnet::cpu

#endif
