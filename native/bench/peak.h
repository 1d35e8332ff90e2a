// What the processor could do at most: the two limits that every primitive is held against.
#pragma once

namespace cudnn_resnet::bench {

struct Peak {
  double flops;  // float32 operations a second, a multiplication and an addition counted apart
  double bytes;  // a second, read or written in memory
};

// Measured on all threads: fused multiply-adds that never leave the registers, and a copy that no cache
// holds.
[[nodiscard]] Peak measurePeak();

}  // namespace cudnn_resnet::bench
