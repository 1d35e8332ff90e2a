#include "cuda/staging.h"

#include <algorithm>
#include <cstring>

#include "cuda/error.h"

namespace cudnn_resnet::cuda {

Staging::~Staging() {
  cudaStreamSynchronize(stream_.get());
  for (const Buffer& buffer : buffers_) {
    if (buffer.memory != nullptr) {
      cudaFreeHost(buffer.memory);
    }
  }
  cudaGetLastError();
}

Staging::Buffer& Staging::next() {
  Buffer& buffer = buffers_[turn_];
  turn_ = (turn_ + 1) % buffers_.size();
  if (buffer.memory == nullptr) {
    check(cudaMallocHost(&buffer.memory, bufferBytes), "cudaMallocHost");
  }
  buffer.done.wait("waiting for a copy");
  return buffer;
}

void Staging::upload(const Engine::Reader& read, void* to, size_t bytes) {
  for (size_t offset = 0; offset < bytes; offset += bufferBytes) {
    const size_t length = std::min(bufferBytes, bytes - offset);
    Buffer& buffer = next();
    read(buffer.memory, offset, length);
    check(cudaMemcpyAsync(static_cast<std::byte*>(to) + offset, buffer.memory, length, cudaMemcpyHostToDevice,
                          stream_.get()),
          "copying to the GPU");
    buffer.done.record(stream_);
  }
}

void Staging::download(const void* from, void* to, size_t bytes) {
  // A buffer is emptied while the other is filled.
  struct Pending {
    Buffer* buffer;
    size_t offset, length;
  };
  const auto finish = [to](const Pending& pending) {
    pending.buffer->done.wait("copying from the GPU");
    std::memcpy(static_cast<std::byte*>(to) + pending.offset, pending.buffer->memory, pending.length);
  };
  Pending pending{};
  for (size_t offset = 0; offset < bytes; offset += bufferBytes) {
    const size_t length = std::min(bufferBytes, bytes - offset);
    Buffer& buffer = next();
    check(cudaMemcpyAsync(buffer.memory, static_cast<const std::byte*>(from) + offset, length,
                          cudaMemcpyDeviceToHost, stream_.get()),
          "copying from the GPU");
    buffer.done.record(stream_);
    if (pending.buffer != nullptr) {
      finish(pending);
    }
    pending = {&buffer, offset, length};
  }
  if (pending.buffer != nullptr) {
    finish(pending);
  }
}

}  // namespace cudnn_resnet::cuda
