// The keys by which primitives that are ready to run are kept.
#pragma once

#include <string>
#include <type_traits>

#include "core/attributes.h"
#include "core/shape.h"
#include "cpu/onednn.h"

namespace cudnn_resnet::cpu {

// Plain values, one behind the other.
class Key {
 public:
  explicit Key(char primitive) : bytes_(1, primitive) {}
  // No padding inside: its bytes would differ between equal values.
  template <typename T>
  requires(std::has_unique_object_representations_v<T> ||
           std::is_floating_point_v<T>) Key& with(const T& value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Key& with(const Conv2dAttributes& a) {
    return with(a.stride)
        .with(a.padding)
        .with(a.dilation)
        .with(a.groups)
        .with(a.activation)
        .with(a.algorithm);
  }
  Key& with(const Pool2dAttributes& a) { return with(a.kind).with(a.kernel).with(a.stride).with(a.padding); }
  Key& with(const Shape& shape) {
    with(shape.size());
    bytes_.append(reinterpret_cast<const char*>(shape.data()), shape.size() * sizeof shape[0]);
    return *this;
  }
  Key& with(const Layout& layout) {
    bytes_ += key(layout);
    return *this;
  }
  [[nodiscard]] const std::string& text() const noexcept { return bytes_; }

 private:
  std::string bytes_;
};

}  // namespace cudnn_resnet::cpu
