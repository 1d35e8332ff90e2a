// A program while it is being made: operations are noted instead of run. Only the thread of JavaScript
// touches it.
#pragma once

#include <memory>
#include <vector>

#include "core/operation.h"
#include "core/program.h"

namespace cudnn_resnet {

class Recording : public std::enable_shared_from_this<Recording> {
 public:
  // The recording that `operation` is part of; nullptr where it works on real values. Throws Error(Argument)
  // where it is part of two.
  static std::shared_ptr<Recording> of(const Operation& operation);

  // A tensor that stands for an input of the program.
  TensorPtr input(Shape shape, DType dtype);

  // Notes an operation; its outputs then stand for its results. Throws Error(Argument) where the recording
  // has ended, or where the operation changes values that are not the program's own.
  void append(Operation operation);

  // The program that computes `outputs`; Error(Argument) where one is of another recording. Nothing can be
  // noted after it.
  std::shared_ptr<Program> end(std::vector<TensorPtr> outputs);

 private:
  void checkOpen() const;

  bool ended_ = false;
  std::vector<TensorPtr> inputs_;
  std::vector<Operation> operations_;
};

}  // namespace cudnn_resnet
