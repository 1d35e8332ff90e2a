// Whatever the lifetimes and sizes: no two blocks that are needed at once share a byte, each begins where it
// may and ends within the arena, and the arena is no smaller than what is needed at one moment and no larger
// than all together.
#include "core/arena-planner.h"

#include "input.h"
#include "require.h"
#include "test/least-arena.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cudnn_resnet;
  using fuzz::require;
  fuzz::Input input(data, size);
  std::vector<Lifetime> blocks;
  size_t total = 0;
  while (!input.empty() && blocks.size() < 200) {
    const auto bytes = static_cast<size_t>(input.integer(0, int64_t{1} << 40));
    const auto first = static_cast<size_t>(input.integer(0, 100));
    const auto last = first + static_cast<size_t>(input.integer(0, 100));
    blocks.push_back({bytes, first, last});
    total += (bytes + arenaAlignment - 1) / arenaAlignment * arenaAlignment;
  }
  const ArenaPlan plan = planArena(blocks);
  require(plan.offsets.size() == blocks.size());
  require(plan.bytes <= total && plan.bytes >= test::leastArena(blocks));

  for (size_t i = 0; i < blocks.size(); ++i) {
    const auto [bytes, first, last] = blocks[i];
    const size_t end = plan.offsets[i] + bytes;
    require(plan.offsets[i] % arenaAlignment == 0 && end <= plan.bytes);
    for (size_t j = 0; j < i; ++j) {
      const bool together = first <= blocks[j].last && blocks[j].first <= last;
      const bool apart = end <= plan.offsets[j] || plan.offsets[j] + blocks[j].bytes <= plan.offsets[i];
      require(!together || apart || bytes == 0 || blocks[j].bytes == 0);
    }
  }
  return 0;
}
