#include "binding/resample.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "binding/environment.h"
#include "binding/options.h"
#include "core/error.h"
#include "core/resample.h"

namespace cudnn_resnet {
namespace {

std::vector<int32_t> integers(const Options& options, const char* name) {
  const Napi::Value value = options.get(name);
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_int32_array) {
    throw Error(ErrorCode::Argument, options.what(name) + " must be an Int32Array");
  }
  const auto array = value.As<Napi::Int32Array>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

// For an axis of `length` pixels, the first of which is pixel `start` to the filter.
Filter filter(const Options& options, size_t length) {
  const auto start = static_cast<int32_t>(options.integer("start", 0, 0));
  Filter filter{integers(options, "first"), integers(options, "count"), integers(options, "weights"),
                static_cast<size_t>(options.integer("taps", 1, 1))};
  const auto inside = [&](size_t i) {
    const int64_t first = int64_t{filter.first[i]} - start;
    const int64_t count = filter.count[i];
    if (first < 0 || count < 1 || std::cmp_greater(count, filter.taps) ||
        std::cmp_greater(first + count, length)) {
      return false;
    }
    filter.first[i] = static_cast<int32_t>(first);
    const auto weights = std::span(filter.weights).subspan(i * filter.taps, static_cast<size_t>(count));
    const auto most = int64_t{5} << (Filter::precision - 2);  // a quarter above one, for roundings
    return std::ranges::all_of(weights, [](int32_t weight) { return weight >= 0; }) &&
           std::accumulate(weights.begin(), weights.end(), int64_t{0}) <= most;
  };
  bool valid = !filter.first.empty() && filter.count.size() == filter.size() &&
               filter.weights.size() == filter.size() * filter.taps;
  for (size_t i = 0; valid && i < filter.size(); ++i) {
    valid = inside(i);
  }
  if (!valid) {
    throw Error(ErrorCode::Argument, options.what("first, count and weights") + " are no filter of " +
                                         std::to_string(length) + " pixels");
  }
  return filter;
}

}  // namespace

Napi::Value resample(const Napi::CallbackInfo& info) {
  const Options options(info[0], "resample");
  const auto width = static_cast<size_t>(options.integer("width", 1, 0));
  const auto height = static_cast<size_t>(options.integer("height", 1, 0));
  auto columns = filter(Options(options.get("columns"), "resample: columns"), width);
  auto rows = filter(Options(options.get("rows"), "resample: rows"), height);
  const Napi::Value value = options.get("data");
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    throw Error(ErrorCode::Argument, options.what("data") + " must be a Uint8Array");
  }
  const auto data = value.As<Napi::Uint8Array>();
  if (data.ByteLength() != width * height * 3) {
    throw Error(ErrorCode::Shape, options.what("data") + " must have " + std::to_string(width * height * 3) +
                                      " bytes, got " + std::to_string(data.ByteLength()));
  }
  return Environment::of(info.Env())
      .inBackground(
          [pixels = data.Data(), width, height, columns = std::move(columns), rows = std::move(rows)] {
            const auto output =
                std::make_shared<std::vector<uint8_t>>(resample(pixels, width, height, columns, rows));
            return [output](Napi::Env env, Environment::Promised&) -> Napi::Value {
              Napi::ArrayBuffer buffer = Environment::of(env).arrayBuffer(output->size());
              std::ranges::copy(*output, static_cast<uint8_t*>(buffer.Data()));
              return buffer;
            };
          },
          data.ArrayBuffer());
}

}  // namespace cudnn_resnet
