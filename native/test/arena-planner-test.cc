#include "core/arena-planner.h"

#include <gtest/gtest.h>

#include <random>

#include "least-arena.h"

namespace cudnn_resnet {
namespace {

using test::leastArena;

void expectNoOverlap(const std::vector<Lifetime>& blocks, const ArenaPlan& plan) {
  ASSERT_EQ(plan.offsets.size(), blocks.size());
  for (size_t a = 0; a < blocks.size(); ++a) {
    EXPECT_EQ(plan.offsets[a] % arenaAlignment, 0U);
    EXPECT_LE(plan.offsets[a] + blocks[a].bytes, plan.bytes);
    for (size_t b = 0; b < a; ++b) {
      const bool together = blocks[a].first <= blocks[b].last && blocks[b].first <= blocks[a].last;
      const bool apart = plan.offsets[a] + blocks[a].bytes <= plan.offsets[b] ||
                         plan.offsets[b] + blocks[b].bytes <= plan.offsets[a];
      EXPECT_TRUE(!together || apart) << "blocks " << a << " and " << b;
    }
  }
}

// What a ResNet-50 holds for one image of 224×224 in float32, operation by operation: each reads its input,
// writes its output; a block's shortcut is convolved right before its last convolution, which writes over it.
std::vector<Lifetime> resnet50Lifetimes() {
  std::vector<Lifetime> blocks;
  size_t moment = 0;
  const auto write = [&](size_t channels, size_t side) {
    blocks.push_back({channels * side * side * sizeof(float), moment++, 0});
    return blocks.size() - 1;
  };
  const auto free = [&](size_t block) { blocks[block].last = moment++; };

  const size_t stem = write(64, 112);
  size_t x = write(64, 56);
  free(stem);
  size_t side = 56;
  size_t width = 64;
  for (const int count : {3, 4, 6, 3}) {
    for (int i = 0; i < count; ++i) {
      const size_t inner = i == 0 && width != 64 ? side / 2 : side;
      const size_t reduced = write(width, side);
      const size_t convolved = write(width, inner);
      free(reduced);
      const size_t shortcut = i == 0 ? write(4 * width, inner) : x;
      if (i == 0) {
        free(x);
      }
      free(convolved);
      x = shortcut;
      side = inner;
    }
    width *= 2;
  }
  const size_t pooled = write(2048, 1);
  free(x);
  const size_t logits = write(1000, 1);
  free(pooled);
  free(logits);
  return blocks;
}

TEST(ArenaPlanner, PlacesNothing) {
  const ArenaPlan plan = planArena({});
  EXPECT_TRUE(plan.offsets.empty());
  EXPECT_EQ(plan.bytes, 0U);
}

TEST(ArenaPlanner, ReusesThePlaceOfABlockThatIsGone) {
  const std::vector<Lifetime> blocks{{1024, 0, 1}, {1024, 2, 3}, {1024, 1, 2}};
  const ArenaPlan plan = planArena(blocks);
  expectNoOverlap(blocks, plan);
  EXPECT_EQ(plan.bytes, 2048U);
  EXPECT_EQ(leastArena(blocks), 2048U);
}

TEST(ArenaPlanner, TakesTheTightestGap) {
  // Two stay: what stood beside them leaves gaps of 6144 and 4096 bytes.
  const std::vector<Lifetime> blocks{{5120, 0, 2}, {6144, 0, 0}, {4096, 0, 0}, {4096, 0, 2}, {4096, 1, 2}};
  const ArenaPlan plan = planArena(blocks);
  expectNoOverlap(blocks, plan);
  EXPECT_EQ(plan.offsets[4], plan.offsets[2]);
}

TEST(ArenaPlanner, BlocksOfRandomSizesAndTimesNeverOverlap) {
  std::random_device seeds;
  for (int round = 0; round < 200; ++round) {
    const auto seed = seeds();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    std::vector<Lifetime> blocks(random() % 60);
    for (Lifetime& block : blocks) {
      block.bytes = random() % 3 == 0 ? random() % 8 : random() % 100'000;
      block.first = random() % 100;
      block.last = block.first + random() % 20;
    }
    const ArenaPlan plan = planArena(blocks);
    expectNoOverlap(blocks, plan);
    EXPECT_GE(plan.bytes, leastArena(blocks));
  }
}

TEST(ArenaPlanner, NeedsForResNet50LittleMoreThanTheLeast) {
  const std::vector<Lifetime> blocks = resnet50Lifetimes();
  const ArenaPlan plan = planArena(blocks);
  expectNoOverlap(blocks, plan);
  EXPECT_LE(static_cast<double>(plan.bytes), 1.1 * static_cast<double>(leastArena(blocks)));
}

}  // namespace
}  // namespace cudnn_resnet
