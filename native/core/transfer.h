// Moves a tensor's values from one device to another.
#pragma once

#include "core/device.h"

namespace cudnn_resnet {

// Writes x, which is on `from`, to y, which is on `to` and has x's shape and dtype. Call it on the thread of
// JavaScript. Error(Busy) where one of them has no room for the bytes in its backlog.
void transfer(Device& from, const TensorPtr& x, Device& to, const TensorPtr& y);

}  // namespace cudnn_resnet
