// Copies between the host's memory and the device's, in a stream of their own.
#pragma once

#include <array>
#include <cstddef>

#include "core/engine.h"
#include "cuda/stream.h"

namespace cudnn_resnet::cuda {

// Through pinned buffers: a copy from or to memory that is not pinned waits for its whole stream, and others.
// Not for several threads at once.
class Staging {
 public:
  Staging() = default;
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  ~Staging();

  [[nodiscard]] const Stream& stream() const noexcept { return stream_; }

  // All has been read when this returns; `to` is written in the order of the stream.
  void upload(const Engine::Reader& read, void* to, size_t bytes);
  // `from` is read in the order of the stream; `to` has been written when this returns.
  void download(const void* from, void* to, size_t bytes);

 private:
  struct Buffer {
    void* memory = nullptr;
    Event done;  // the last copy from or to it has ended
  };
  Buffer& next();

  static constexpr size_t bufferBytes = size_t{4} << 20U;
  Stream stream_;
  std::array<Buffer, 2> buffers_;
  size_t turn_ = 0;
};

}  // namespace cudnn_resnet::cuda
