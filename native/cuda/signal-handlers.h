// NVRTC, with which cuDNN compiles, has handlers of its own for some signals meanwhile. It puts the former
// ones back without their flags: Node's, which raises SIGINT or SIGTERM again and counts on SA_RESETHAND to
// end the process then, would be called for ever.
#pragma once

namespace cudnn_resnet::cuda {

// While one lives a thread may compile. The end of the last gives the handlers their flags back.
class KeptSignalHandlers {
 public:
  KeptSignalHandlers();
  KeptSignalHandlers(const KeptSignalHandlers&) = delete;
  KeptSignalHandlers& operator=(const KeptSignalHandlers&) = delete;
  ~KeptSignalHandlers();
};

}  // namespace cudnn_resnet::cuda
