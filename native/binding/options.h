// Reads what JavaScript passes. A wrong value is an Error(Argument) that says what was expected and what
// came.
#pragma once

#include <napi.h>

#include <string>

#include "core/attributes.h"
#include "core/dtype.h"
#include "core/shape.h"

namespace cudnn_resnet {

// `what` names the argument in messages, for example "conv2d: stride".
[[nodiscard]] std::string string(const Napi::Value& value, const std::string& what);
[[nodiscard]] double number(const Napi::Value& value, const std::string& what);
[[nodiscard]] int64_t integer(const Napi::Value& value, const std::string& what, int64_t least);
// Extents of at least `least`; Error(Shape) where it is no shape, or one of more elements than can be
// addressed.
[[nodiscard]] Shape shape(const Napi::Value& value, const std::string& what, int64_t least = 1);
[[nodiscard]] DType dtype(const Napi::Value& value, const std::string& what);
// Of a tensor on a device: Error(DType) for float64, which only data on the host has.
[[nodiscard]] DType deviceDType(const Napi::Value& value, const std::string& what);

// Whether an option was left out.
[[nodiscard]] bool isAbsent(const Napi::Value& value);

// Error(Shape) where the shape's elements are too many to address.
void checkAddressable(const Shape& shape, const std::string& what);

// The options of one call, given as one object; each is read by its name, with a default where it may be
// absent.
//
// A getter may give another value at each look, and may dispose of tensors: each option is read once, and
// what was read is what was checked.
class Options {
 public:
  Options(const Napi::Value& value, const char* operation);

  [[nodiscard]] Napi::Value get(const char* name) const { return object_.Get(name); }
  [[nodiscard]] std::string what(const char* name) const { return operation_ + ": " + name; }
  [[nodiscard]] double number(const char* name, double absent) const;
  [[nodiscard]] int64_t integer(const char* name, int64_t least, int64_t absent) const;
  [[nodiscard]] bool boolean(const char* name, bool absent) const;
  [[nodiscard]] Pair pair(const char* name, int64_t least,
                          Pair absent) const;  // a number, or [height, width]
  [[nodiscard]] Activation activation(const char* name) const;

 private:
  std::string operation_;
  Napi::Object object_;
};

}  // namespace cudnn_resnet
