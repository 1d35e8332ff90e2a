#pragma once

#include <utility>

namespace cudnn_resnet {

// Sets a value and puts the former one back at the end.
template <typename T>
class Exchanged {
 public:
  Exchanged(T& variable, T value) : variable_(variable), former_(std::exchange(variable, value)) {}
  Exchanged(const Exchanged&) = delete;
  Exchanged& operator=(const Exchanged&) = delete;
  ~Exchanged() { variable_ = former_; }

 private:
  T& variable_;
  T former_;
};

}  // namespace cudnn_resnet
