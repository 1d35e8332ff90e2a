#include "cuda/uploads.h"

#include <algorithm>

#include "cuda/error.h"

namespace cudnn_resnet::cuda {
namespace {

// A batch of 256 images of 224×224, in bytes, lands whole.
constexpr size_t mostBytes = size_t{64} << 20U;

}  // namespace

Uploads::Landing* Uploads::next(size_t bytes) {
  Landing& landing = landings_[turn_];
  turn_ = (turn_ + 1) % landings_.size();
  if (landing.block.bytes() >= bytes) {
    return &landing;
  }
  landing.block = Block();
  landing.block = allocator_->tryAllocate(bytes);
  if (landing.block.get() == nullptr) {
    return nullptr;
  }
  landing.read.record(computing_);  // what used the block before is in that stream
  return &landing;
}

void Uploads::upload(const Engine::Reader& read, void* to, size_t bytes) {
  for (size_t offset = 0; offset < bytes; offset += mostBytes) {
    const auto source = [&](void* part, size_t begin, size_t size) { read(part, offset + begin, size); };
    auto* target = static_cast<std::byte*>(to) + offset;
    const size_t length = std::min(mostBytes, bytes - offset);
    Landing* landing = next(length);
    if (landing == nullptr) {
      computed_.record(computing_);
      staging_.stream().waitFor(computed_);
      staging_.upload(source, target, length);
      computed_.record(staging_.stream());
      computing_.waitFor(computed_);
      continue;
    }
    staging_.stream().waitFor(landing->read);
    staging_.upload(source, landing->block.get(), length);
    landing->written.record(staging_.stream());
    computing_.waitFor(landing->written);
    check(cudaMemcpyAsync(target, landing->block.get(), length, cudaMemcpyDeviceToDevice, computing_.get()),
          "copying on the GPU");
    landing->read.record(computing_);
  }
}

void Uploads::trim() noexcept {
  for (Landing& landing : landings_) {
    landing.block = Block();
  }
}

}  // namespace cudnn_resnet::cuda
