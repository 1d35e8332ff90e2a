// Conversion between element types, of any bits and at any place in memory, against float64 and searching for
// the nearest value.
#include "core/dtype.h"

#include <cmath>
#include <iterator>
#include <vector>

#include "input.h"
#include "require.h"

namespace cudnn_resnet::fuzz {
namespace {

struct Format {
  int exponentBits;
  int fractionBits;
};

// What the bits of a 16-bit format stand for, by its definition.
double value(uint16_t bits, Format format) {
  const int exponent = (bits >> format.fractionBits) & ((1 << format.exponentBits) - 1);
  const int fraction = bits & ((1 << format.fractionBits) - 1);
  const int bias = (1 << (format.exponentBits - 1)) - 1;
  double magnitude = 0;
  if (exponent == (1 << format.exponentBits) - 1) {
    magnitude = fraction == 0 ? INFINITY : NAN;
  } else if (exponent == 0) {
    magnitude = std::ldexp(fraction, 1 - bias - format.fractionBits);
  } else {
    magnitude = std::ldexp((1 << format.fractionBits) + fraction, exponent - bias - format.fractionBits);
  }
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

// The bits of the value nearest to a magnitude: halving the interval between two neighbours.
uint16_t nearest(double magnitude, Format format) {
  const uint16_t infinity = static_cast<uint16_t>(((1 << format.exponentBits) - 1) << format.fractionBits);
  uint16_t below = 0;
  for (uint16_t step = 0x4000; step > 0; step = static_cast<uint16_t>(step / 2)) {
    if (below + step < infinity && value(static_cast<uint16_t>(below + step), format) <= magnitude) {
      below = static_cast<uint16_t>(below + step);
    }
  }
  const auto above = static_cast<uint16_t>(below + 1);
  // past the largest the next value would be, were there one, twice the step away
  const double next = above == infinity
                          ? value(below, format) * 2 - value(static_cast<uint16_t>(below - 1), format)
                          : value(above, format);
  const double middle = (value(below, format) + next) / 2;
  if (magnitude != middle) {
    return magnitude < middle ? below : above;
  }
  return below % 2 == 0 ? below : above;
}

void narrow(Input& input, DType dtype, Format format) {
  float from = 0;
  input.take(&from, sizeof from);
  uint16_t to = 0;
  convertElements(&from, DType::Float32, &to, dtype, 1);
  const double back = value(to, format);
  if (std::isnan(from)) {
    require(std::isnan(back));
  } else {
    const auto magnitude = static_cast<uint16_t>(to & 0x7fff);
    require(std::signbit(from) == ((to & 0x8000) != 0));
    require(magnitude == nearest(std::fabs(static_cast<double>(from)), format));
  }
  float widened = 0;
  convertElements(&to, dtype, &widened, DType::Float32, 1);
  require(std::isnan(back) ? std::isnan(widened) : widened == back);
}

// Any type to any other, at addresses that are not aligned, writes `count` elements and nothing beside them.
void anyToAny(Input& input) {
  constexpr DType dtypes[] = {DType::Float32, DType::Float16, DType::BFloat16,
                              DType::UInt8,   DType::Int64,   DType::Float64};
  const DType from = dtypes[input.byte() % std::size(dtypes)];
  const DType to = dtypes[input.byte() % std::size(dtypes)];
  const size_t count = input.byte() % 40;
  std::vector<uint8_t> source(count * bytesPerElement(from));
  input.take(source.data(), source.size());
  std::vector<uint8_t> target(count * bytesPerElement(to));
  convertElements(source.data(), from, target.data(), to, count);
  if (from == to) {
    require(source == target);
  }
}

}  // namespace
}  // namespace cudnn_resnet::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cudnn_resnet;
  fuzz::Input input(data, size);
  switch (input.byte() % 3) {
    case 0:
      fuzz::narrow(input, DType::Float16, {5, 10});
      break;
    case 1:
      fuzz::narrow(input, DType::BFloat16, {8, 7});
      break;
    default:
      fuzz::anyToAny(input);
  }
  return 0;
}
