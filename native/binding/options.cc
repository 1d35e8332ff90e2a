#include "binding/options.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace cudnn_resnet {
namespace {

// What came, for a message: `-1`, `"same"`, `an object`.
std::string shown(const Napi::Value& value) {
  switch (value.Type()) {
    case napi_undefined:
      return "undefined";
    case napi_null:
      return "null";
    case napi_string:
      return '"' + value.As<Napi::String>().Utf8Value().substr(0, 60) + '"';
    case napi_number:
    case napi_boolean:
      return value.ToString().Utf8Value();
    case napi_bigint:
      return "a bigint";
    case napi_symbol:
      return "a symbol";
    case napi_function:
      return "a function";
    default:
      return value.IsArray() ? "an array" : "an object";
  }
}

[[noreturn]] void wrong(const std::string& what, const std::string& expected, const Napi::Value& value,
                        ErrorCode code = ErrorCode::Argument) {
  throw Error(code, what + " must be " + expected + ", got " + shown(value));
}

// An extent, a stride, a number of groups.
int64_t attribute(const Napi::Value& value, const std::string& what, int64_t least) {
  const int64_t result = integer(value, what, least);
  if (result > largestAttribute) {
    wrong(what, "an integer of at most " + std::to_string(largestAttribute), value);
  }
  return result;
}

}  // namespace

bool isAbsent(const Napi::Value& value) { return value.IsUndefined() || value.IsNull(); }

std::string string(const Napi::Value& value, const std::string& what) {
  if (!value.IsString()) {
    wrong(what, "a string", value);
  }
  return value.As<Napi::String>().Utf8Value();
}

double number(const Napi::Value& value, const std::string& what) {
  if (!value.IsNumber() || !std::isfinite(value.As<Napi::Number>().DoubleValue())) {
    wrong(what, "a finite number", value);
  }
  return value.As<Napi::Number>().DoubleValue();
}

int64_t integer(const Napi::Value& value, const std::string& what, int64_t least) {
  constexpr double largestSafe = 9007199254740991.0;
  const double candidate = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  if (!(candidate >= static_cast<double>(least) && candidate <= largestSafe) ||
      candidate != std::floor(candidate)) {
    wrong(what, "an integer of at least " + std::to_string(least), value);
  }
  return static_cast<int64_t>(candidate);
}

void checkAddressable(const Shape& shape, const std::string& what) {
  int64_t count = 1;
  for (const int64_t extent : shape) {
    if (extent > mostElements / std::max<int64_t>(count, 1)) {
      throw Error(ErrorCode::Shape, what + " " + text(shape) + " has more elements than can be addressed");
    }
    count *= std::max<int64_t>(extent, 1);
  }
}

Shape shape(const Napi::Value& value, const std::string& what, int64_t least) {
  if (!value.IsArray()) {
    wrong(what, "an array of integers", value, ErrorCode::Shape);
  }
  const auto array = value.As<Napi::Array>();
  const uint32_t rank = array.Length();
  if (rank > maxRank) {
    throw Error(ErrorCode::Shape, what + " must have at most " + std::to_string(maxRank) +
                                      " dimensions, got " + std::to_string(rank));
  }
  Shape result;
  for (uint32_t i = 0; i < rank; ++i) {
    const Napi::Value extent = array[i];
    try {
      result.push_back(integer(extent, what + "[" + std::to_string(i) + "]", least));
    } catch (const Error& error) {
      throw Error(ErrorCode::Shape, error.what());
    }
  }
  checkAddressable(result, what);
  return result;
}

DType dtype(const Napi::Value& value, const std::string& what) {
  const auto found = value.IsString() ? dtypeNamed(value.As<Napi::String>().Utf8Value()) : std::nullopt;
  if (!found) {
    wrong(what, "'float32', 'float16', 'bfloat16', 'uint8' or 'int64'", value, ErrorCode::DType);
  }
  return *found;
}

DType deviceDType(const Napi::Value& value, const std::string& what) {
  const DType type = dtype(value, what);
  if (type == DType::Float64) {
    throw Error(ErrorCode::DType, what + " float64 is not kept on a device; use float32");
  }
  return type;
}

Options::Options(const Napi::Value& value, const char* operation) : operation_(operation) {
  if (!value.IsObject()) {
    wrong(operation_, "called with an object of options", value);
  }
  object_ = value.As<Napi::Object>();
}

double Options::number(const char* name, double absent) const {
  const Napi::Value value = get(name);
  return isAbsent(value) ? absent : cudnn_resnet::number(value, what(name));
}

int64_t Options::integer(const char* name, int64_t least, int64_t absent) const {
  const Napi::Value value = get(name);
  return isAbsent(value) ? absent : attribute(value, what(name), least);
}

bool Options::boolean(const char* name, bool absent) const {
  const Napi::Value value = get(name);
  if (isAbsent(value)) {
    return absent;
  }
  if (!value.IsBoolean()) {
    wrong(what(name), "true or false", value);
  }
  return value.As<Napi::Boolean>();
}

Pair Options::pair(const char* name, int64_t least, Pair absent) const {
  const Napi::Value value = get(name);
  if (isAbsent(value)) {
    return absent;
  }
  if (!value.IsArray()) {
    const int64_t both = attribute(value, what(name), least);
    return {both, both};
  }
  const auto array = value.As<Napi::Array>();
  if (array.Length() != 2) {
    throw Error(ErrorCode::Argument, what(name) + " must be a number or [height, width], got an array of " +
                                         std::to_string(array.Length()));
  }
  Pair pair{};
  for (uint32_t i = 0; i < 2; ++i) {
    const Napi::Value side = array[i];
    pair[i] = attribute(side, what(name) + "[" + std::to_string(i) + "]", least);
  }
  return pair;
}

Activation Options::activation(const char* name) const {
  const Napi::Value value = get(name);
  if (isAbsent(value)) {
    return Activation::None;
  }
  const auto found = value.IsString() ? activationNamed(value.As<Napi::String>().Utf8Value()) : std::nullopt;
  if (!found) {
    wrong(what(name), "'relu', 'relu6', 'sigmoid', 'tanh', 'gelu' or 'swish'", value);
  }
  return *found;
}

}  // namespace cudnn_resnet
