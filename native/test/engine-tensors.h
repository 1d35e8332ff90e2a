// What the tests of engines share: an engine, and tensors on it.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <vector>

#include "core/backend.h"
#include "core/random.h"

namespace cudnn_resnet::test {

// Of every engine of these tests.
inline const bool memoryIsPoisoned = setenv("CUDNN_RESNET_POISON", "1", 1) == 0;

using Bytes = std::vector<std::byte>;
using Values = std::vector<double>;

inline Bytes encoded(const Values& values, DType dtype) {
  Bytes bytes(values.size() * bytesPerElement(dtype));
  convertElements(values.data(), DType::Float64, bytes.data(), dtype, values.size());
  return bytes;
}

inline Values decoded(const Bytes& bytes, DType dtype) {
  Values values(bytes.size() / bytesPerElement(dtype));
  convertElements(bytes.data(), dtype, values.data(), DType::Float64, values.size());
  return values;
}

// As the dtype holds them.
inline Values rounded(const Values& values, DType dtype) { return decoded(encoded(values, dtype), dtype); }

class EngineTensors {
 protected:
  // Tensors are of this dtype, where no other is named.
  explicit EngineTensors(DType dtype = DType::Float32) : dtype_(dtype) {}

  [[nodiscard]] TensorPtr empty(const Shape& shape) const { return empty(shape, dtype_); }
  static TensorPtr empty(const Shape& shape, DType dtype) { return std::make_shared<Tensor>(shape, dtype); }

  TensorPtr tensor(const Shape& shape, const Values& values) { return tensor(shape, values, dtype_); }
  TensorPtr tensor(const Shape& shape, const Values& values, DType dtype) {
    auto x = empty(shape, dtype);
    engine_->upload(encoded(values, dtype).data(), *x);
    return x;
  }

  // As the dtype holds them, and others each time.
  Values random(const Shape& shape) {
    std::vector<float> values(static_cast<size_t>(elements(shape)));
    fillNormal({7, stream_++}, 0, 1, values);
    return rounded({values.begin(), values.end()}, dtype_);
  }
  TensorPtr randomTensor(const Shape& shape) { return tensor(shape, random(shape)); }

  Bytes bytesOf(Tensor& x) {
    Bytes bytes(x.bytes(), std::byte{0xff});  // what is not written shows
    engine_->download(x, bytes.data());
    return bytes;
  }
  Values read(Tensor& x) { return decoded(bytesOf(x), x.dtype); }

  EngineMemory memory_;
  std::unique_ptr<Engine> engine_;  // opened by the test
  uint64_t stream_ = 0;

 private:
  const DType dtype_;
};

}  // namespace cudnn_resnet::test
