// Plans compiled ahead of time, for a device that need not be there.
#pragma once

#include <napi.h>

namespace cudnn_resnet {

// openPlanner(options): { device, planned() }
Napi::Value openPlanner(const Napi::CallbackInfo& info);

}  // namespace cudnn_resnet
