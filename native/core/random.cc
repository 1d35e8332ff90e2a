#include "core/random.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <thread>
#include <vector>

#include "core/host.h"

namespace cudnn_resnet {
namespace {

// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011): the
// n-th block of four numbers is a function of n and the seed.
std::array<uint32_t, 4> philox(RandomSequence sequence, uint64_t block) {
  std::array<uint32_t, 4> c{static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32),
                            static_cast<uint32_t>(sequence.stream),
                            static_cast<uint32_t>(sequence.stream >> 32)};
  auto key0 = static_cast<uint32_t>(sequence.seed);
  auto key1 = static_cast<uint32_t>(sequence.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53U} * c[0];
    const uint64_t product1 = uint64_t{0xCD9E8D57U} * c[2];
    c = {static_cast<uint32_t>(product1 >> 32) ^ c[1] ^ key0, static_cast<uint32_t>(product1),
         static_cast<uint32_t>(product0 >> 32) ^ c[3] ^ key1, static_cast<uint32_t>(product0)};
    key0 += 0x9E3779B9U;
    key1 += 0xBB67AE85U;
  }
  return c;
}

// Uniform over (0, 1), never an end.
double unit(uint32_t bits) { return (bits + 0.5) * 0x1p-32; }

// The natural logarithm from exactly rounded operations only, so that every machine gives the same bits:
// x = m · 2^e with m in [√½, √2), and ln m = 2 artanh((m - 1) / (m + 1)) as a series.
double logarithm(double x) {
  int exponent = 0;
  double mantissa = std::frexp(x, &exponent);
  if (mantissa < 0.70710678118654752) {
    mantissa *= 2;
    --exponent;
  }
  const double s = (mantissa - 1) / (mantissa + 1);
  const double square = s * s;
  double sum = 0;
  for (int k = 25; k >= 1; k -= 2) {
    sum = sum * square + 1.0 / k;
  }
  return 2 * s * sum + exponent * 0.69314718055994531;
}

double polynomial(const std::array<double, 8>& coefficients, double x) {
  double sum = 0;
  for (const double coefficient : coefficients) {
    sum = sum * x + coefficient;
  }
  return sum;
}

// The inverse of the normal distribution's function: algorithm AS 241, PPND16 (Wichura, Applied Statistics
// 37, 1988), without its polynomials for r above 5: of what unit() gives r is at most 4.8. Coefficients from
// the highest power down.
double normalQuantile(double p) {
  constexpr std::array<double, 8> a{2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4,
                                    4.5921953931549871457e4, 1.3731693765509461125e4, 1.9715909503065514427e3,
                                    1.3314166789178437745e2, 3.3871328727963666080e0};
  constexpr std::array<double, 8> b{
      5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
      5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0};
  constexpr std::array<double, 8> c{7.74545014278341407640e-4, 2.27238449892691845833e-2,
                                    2.41780725177450611770e-1, 1.27045825245236838258e0,
                                    3.64784832476320460504e0,  5.76949722146069140550e0,
                                    4.63033784615654529590e0,  1.42343711074968357734e0};
  constexpr std::array<double, 8> d{1.05075007164441684324e-9, 5.47593808499534494600e-4,
                                    1.51986665636164571966e-2, 1.48103976427480074590e-1,
                                    6.89767334985100004550e-1, 1.67638483018380384940e0,
                                    2.05319162663775882187e0,  1.0};
  const double q = p - 0.5;
  if (std::fabs(q) <= 0.425) {
    const double r = 0.180625 - q * q;
    return q * polynomial(a, r) / polynomial(b, r);
  }
  const double r = std::sqrt(-logarithm(q < 0 ? p : 1 - p));
  const double tail = polynomial(c, r - 1.6) / polynomial(d, r - 1.6);
  return q < 0 ? -tail : tail;
}

template <typename Transform>
void fillBlocks(RandomSequence sequence, size_t firstBlock, std::span<float> out, Transform&& transform) {
  for (size_t block = 0; block * 4 < out.size(); ++block) {
    const auto bits = philox(sequence, firstBlock + block);
    for (size_t lane = 0; lane < 4 && block * 4 + lane < out.size(); ++lane) {
      out[block * 4 + lane] = static_cast<float>(transform(unit(bits[lane])));
    }
  }
}

// Each part of the sequence is a function of its place alone, so threads may share the work.
template <typename Transform>
void fill(RandomSequence sequence, std::span<float> out, Transform&& transform) {
  constexpr size_t worthAThread = 1U << 16U;
  // one core is left to the thread of JavaScript
  static const auto mostThreads = static_cast<size_t>(std::max(usableCores(), 2) - 1);
  const size_t threads = std::clamp<size_t>(out.size() / worthAThread, 1, mostThreads);
  const size_t part = (out.size() / threads + 4) / 4 * 4;
  std::vector<std::jthread> helpers;
  for (size_t first = part; first < out.size(); first += part) {
    const auto share = out.subspan(first, std::min(part, out.size() - first));
    helpers.emplace_back([=] { fillBlocks(sequence, first / 4, share, transform); });
  }
  fillBlocks(sequence, 0, out.first(std::min(part, out.size())), transform);
}

}  // namespace

void fillUniform(RandomSequence sequence, double low, double high, std::span<float> out) {
  // Rounding to float32 may not reach the end that is excluded.
  const auto nearest = static_cast<float>(high);
  const double largest = nearest < high ? nearest : std::nextafter(nearest, static_cast<float>(low));
  fill(sequence, out, [=](double u) { return std::min(low + (high - low) * u, largest); });
}

void fillNormal(RandomSequence sequence, double mean, double deviation, std::span<float> out) {
  fill(sequence, out, [=](double u) { return mean + deviation * normalQuantile(u); });
}

}  // namespace cudnn_resnet
