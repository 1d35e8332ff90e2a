#include "core/tensor.h"

namespace cudnn_resnet {

void checkReadable(const Tensor& x) {
  if (x.error) {
    throw Error(*x.error);
  }
  if (!x.storage) {
    throw Error(ErrorCode::Weights, "a tensor of shape " + text(x.shape) +
                                        " was made without values and none were loaded into it");
  }
}

}  // namespace cudnn_resnet
