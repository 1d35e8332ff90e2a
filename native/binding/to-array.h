// Lists on their way to JavaScript.
#pragma once

#include <napi.h>

#include <vector>

#include "core/shape.h"

namespace cudnn_resnet {

// An array of what `convert` makes of each.
template <typename T, typename Convert>
Napi::Array toArray(Napi::Env env, const std::vector<T>& list, const Convert& convert) {
  Napi::Array array = Napi::Array::New(env, list.size());
  for (uint32_t i = 0; i < list.size(); ++i) {
    array[i] = convert(list[i]);
  }
  return array;
}

inline Napi::Array toArray(Napi::Env env, const Shape& shape) {
  return toArray(env, shape,
                 [env](int64_t extent) { return Napi::Number::New(env, static_cast<double>(extent)); });
}

}  // namespace cudnn_resnet
