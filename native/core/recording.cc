#include "core/recording.h"

#include <utility>

namespace cudnn_resnet {

std::shared_ptr<Recording> Recording::of(const Operation& operation) {
  std::shared_ptr<Recording> found;
  for (const auto* tensors : {&operation.inputs, &operation.outputs}) {
    for (const TensorPtr& tensor : *tensors) {
      if (tensor->recording && found && tensor->recording != found) {
        throw Error(ErrorCode::Argument, "tensors of two recordings cannot be used in one operation");
      }
      if (tensor->recording) {
        found = tensor->recording;
      }
    }
  }
  return found;
}

void Recording::checkOpen() const {
  if (ended_) {
    throw Error(ErrorCode::Argument,
                "a tensor of a recording was used after the recording had ended; run the program for values");
  }
}

TensorPtr Recording::input(Shape shape, DType dtype) {
  checkOpen();
  auto tensor = std::make_shared<Tensor>(std::move(shape), dtype);
  tensor->recording = shared_from_this();
  inputs_.push_back(tensor);
  return tensor;
}

void Recording::append(Operation operation) {
  checkOpen();
  if (!operation.pure) {
    throw Error(ErrorCode::Argument,
                "an operation that changes tensors in place, such as batch norm in training mode, or folds "
                "parameters, cannot be recorded");
  }
  for (const TensorPtr& output : operation.outputs) {
    output->recording = shared_from_this();
  }
  operations_.push_back(std::move(operation));
}

std::shared_ptr<Program> Recording::end(std::vector<TensorPtr> outputs) {
  checkOpen();
  for (const TensorPtr& output : outputs) {
    if (output->recording && output->recording.get() != this) {
      throw Error(ErrorCode::Argument, "a program cannot return a tensor of another recording");
    }
  }
  ended_ = true;
  return std::make_shared<Program>(std::move(inputs_), std::move(operations_), std::move(outputs));
}

}  // namespace cudnn_resnet
