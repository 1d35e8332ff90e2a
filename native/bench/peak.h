// What the processor could do at most: the two limits that every primitive is held against.
#pragma once

namespace cudnn_resnet::bench {

struct Peak {
  double flops;  // float32 operations a second, a multiplication and an addition counted apart
  double bytes;  // a second, read or written in memory
  double tiles;  // as flops, of products of bfloat16 in tiles (AMX); 0 where the processor has none
};

// Measured on all threads: fused multiply-adds, and products, that never leave the registers, and a copy that
// no cache holds.
[[nodiscard]] Peak measurePeak();

}  // namespace cudnn_resnet::bench
