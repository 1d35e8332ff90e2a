// Places blocks of memory that are needed at different times in one piece of memory.
#pragma once

#include <cstddef>
#include <vector>

namespace cudnn_resnet {

// A block of `bytes` that holds values from the moment `first` to the moment `last`, both included.
struct Lifetime {
  size_t bytes;
  size_t first;
  size_t last;
};

struct ArenaPlan {
  std::vector<size_t> offsets;  // of each block, in the order in which they were given
  size_t bytes = 0;             // what the arena takes in all
};

// Where every block of an arena begins: at a multiple of it.
constexpr size_t arenaAlignment = 512;

// Blocks that are needed at one moment never overlap. Greedy by size: the largest block is placed first, each
// at the start of the tightest gap between those that are needed at the same time.
[[nodiscard]] ArenaPlan planArena(const std::vector<Lifetime>& blocks);

}  // namespace cudnn_resnet
