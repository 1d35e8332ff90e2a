#include "core/arena-planner.h"

#include <algorithm>
#include <cstdint>
#include <numeric>

namespace cudnn_resnet {
namespace {

size_t aligned(size_t bytes) { return (bytes + arenaAlignment - 1) / arenaAlignment * arenaAlignment; }

bool together(const Lifetime& a, const Lifetime& b) { return a.first <= b.last && b.first <= a.last; }

struct Placed {
  size_t block;
  size_t begin;
  size_t end;
};

// The start of the smallest gap of at least `bytes` between `taken`, which is in the order of their starts;
// behind all of them where there is none.
size_t tightestGap(const std::vector<Placed>& taken, size_t bytes) {
  size_t best = 0;
  size_t smallest = SIZE_MAX;
  size_t end = 0;
  for (const Placed& next : taken) {
    if (next.begin > end && next.begin - end >= bytes && next.begin - end < smallest) {
      smallest = next.begin - end;
      best = end;
    }
    end = std::max(end, next.end);
  }
  return smallest == SIZE_MAX ? end : best;
}

}  // namespace

ArenaPlan planArena(const std::vector<Lifetime>& blocks) {
  std::vector<size_t> order(blocks.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return blocks[a].bytes > blocks[b].bytes; });

  ArenaPlan plan{std::vector<size_t>(blocks.size()), 0};
  std::vector<Placed> placed;  // in the order of their starts
  std::vector<Placed> taken;
  for (const size_t block : order) {
    taken.clear();
    std::copy_if(placed.begin(), placed.end(), std::back_inserter(taken),
                 [&](const Placed& other) { return together(blocks[block], blocks[other.block]); });
    const size_t bytes = aligned(blocks[block].bytes);
    const size_t begin = tightestGap(taken, bytes);
    const Placed here{block, begin, begin + bytes};
    placed.insert(std::upper_bound(placed.begin(), placed.end(), here,
                                   [](const Placed& a, const Placed& b) { return a.begin < b.begin; }),
                  here);
    plan.offsets[block] = begin;
    plan.bytes = std::max(plan.bytes, here.end);
  }
  return plan;
}

}  // namespace cudnn_resnet
