#include "bench/peak.h"

#include <omp.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#endif

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>

namespace cudnn_resnet::bench {
namespace {

double seconds(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

// Enough independent chains to cover the latency of two units that take four cycles each.
constexpr int chains = 12;
constexpr int64_t steps = 20'000'000;
constexpr int64_t tileSteps = 2'000'000;

template <int floats>
struct Vector {
  using Type [[gnu::vector_size(floats * sizeof(float))]] = float;
};

// Compiled for the instructions of whoever calls it. Returns what was computed, so that it is.
template <int floats>
[[gnu::always_inline]] inline float multiplyAdd() {
  using V = typename Vector<floats>::Type;
  std::array<V, chains> sums{};
  V factor = sums[0] + 0.999F;
  V term = sums[0] + 0.001F;
  asm volatile("" : "+m"(factor), "+m"(term));  // the compiler must not know them
  for (int64_t step = 0; step < steps; ++step) {
#pragma GCC unroll 12
    for (auto& sum : sums) {
      sum = sum * factor + term;
    }
  }
  float total = 0;
  for (const auto& sum : sums) {
    total += sum[0];
  }
  return total;
}

using Loop = float (*)();

#if defined(__x86_64__)
[[gnu::target("avx512f")]] float multiplyAdd16() { return multiplyAdd<16>(); }
[[gnu::target("avx2,fma")]] float multiplyAdd8() { return multiplyAdd<8>(); }
#endif
float multiplyAdd4() { return multiplyAdd<4>(); }

struct Width {
  Loop loop;
  int floats;
};

Width widest() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) {
    return {multiplyAdd16, 16};
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return {multiplyAdd8, 8};
  }
#endif
  return {multiplyAdd4, 4};
}

double measureFlops() {
  const auto [loop, floats] = widest();
  double best = 0;
  for (int round = 0; round < 5; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    float total = 0;
#pragma omp parallel reduction(+ : total)
    total += loop();
    const double elapsed = seconds(std::chrono::steady_clock::now() - begin);
    asm volatile("" : : "m"(total));
    best =
        std::max(best, 2.0 * floats * chains * static_cast<double>(steps) * omp_get_max_threads() / elapsed);
  }
  return best;
}

#if defined(__x86_64__)

// Whether the processor multiplies bfloat16 in tiles, and the system lets this process do so.
bool hasTiles() {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  constexpr unsigned tilesOfBfloat16 = (1U << 22U) | (1U << 24U);
  constexpr int request = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr int tileData = 18;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & tilesOfBfloat16) == tilesOfBfloat16 &&
         syscall(SYS_arch_prctl, request, tileData) == 0;
}

// Products of tiles that stay where they are: 16×16 results of 32 products each.
[[gnu::target("amx-tile,amx-bf16")]] void multiplyTiles() {
  struct alignas(64) Shape {
    uint8_t palette = 1;
    uint8_t startRow = 0;
    std::array<uint8_t, 14> reserved{};
    std::array<uint16_t, 16> bytesPerRow{64, 64, 64, 64, 64, 64, 64, 64};
    std::array<uint8_t, 16> rows{16, 16, 16, 16, 16, 16, 16, 16};
  };
  static constexpr Shape shape;  // not on the stack: GCC 12 takes its last bytes for unused
  _tile_loadconfig(&shape);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_zero(4);
  _tile_zero(5);
  _tile_zero(6);
  _tile_zero(7);
  for (int64_t step = 0; step < tileSteps; ++step) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_release();
}

// The fastest of a few runs on all threads.
double measureTileFlops() {
  if (!hasTiles()) {
    return 0;
  }
  constexpr double flopsPerStep = 4 * 2.0 * 16 * 16 * 32;
  double best = 0;
  for (int round = 0; round < 5; ++round) {
    const auto begin = std::chrono::steady_clock::now();
#pragma omp parallel
    multiplyTiles();
    const double elapsed = seconds(std::chrono::steady_clock::now() - begin);
    best = std::max(best, flopsPerStep * static_cast<double>(tileSteps) * omp_get_max_threads() / elapsed);
  }
  return best;
}

#else

double measureTileFlops() { return 0; }

#endif

double measureBytes() {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t memory = static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * page;
  const auto cache = static_cast<size_t>(std::max(0L, sysconf(_SC_LEVEL3_CACHE_SIZE)));
  const size_t size = std::min(std::max(size_t{256} << 20U, 2 * cache), memory / 8);
  // not written yet: each thread's part is to lie near it
  const auto from = std::make_unique_for_overwrite<char[]>(size);
  const auto to = std::make_unique_for_overwrite<char[]>(size);
  const int threads = omp_get_max_threads();
  double best = 0;
  for (int round = 0; round < 6; ++round) {
    const auto begin = std::chrono::steady_clock::now();
#pragma omp parallel for
    for (int part = 0; part < threads; ++part) {
      const size_t first = size / threads * part;
      if (round == 0) {
        std::memset(from.get() + first, 1, size / threads);
      }
      std::memcpy(to.get() + first, from.get() + first, size / threads);
    }
    if (round > 0) {  // the first one is a warm-up
      best =
          std::max(best, 2.0 * static_cast<double>(size) / seconds(std::chrono::steady_clock::now() - begin));
    }
  }
  return best;
}

}  // namespace

Peak measurePeak() { return {measureFlops(), measureBytes(), measureTileFlops()}; }

}  // namespace cudnn_resnet::bench
