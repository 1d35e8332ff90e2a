// Weights that a batch norm was folded into. They are made where they are packed for a convolution, and are
// not kept in one piece beside that: what they are made from is there in any case.
#include <utility>

#include "core/exchanged.h"
#include "cpu/engine.h"
#include "cpu/parallel.h"

namespace cudnn_resnet::cpu {

void CpuEngine::scaleSlices(const std::vector<double>& factors, Tensor& x, Tensor& y) {
  const CpuStorage& storage = storageOf(x);
  if (storage.layout() && *storage.layout() != plain(x.shape, x.dtype)) {
    Engine::scaleSlices(factors, x, y);
    return;
  }
  y.storage = std::make_unique<CpuStorage>(Scaled{storage.share(), factors});
}

std::unique_ptr<CpuStorage> CpuEngine::scaled(const Tensor& x) {
  const Scaled& scaled = *static_cast<CpuStorage&>(*x.storage).scaled();
  // As what is packed, they are no part of a computation that is being captured.
  const CachingAllocator::Apart apart(*allocator_);
  const Exchanged<Captured*> now(captured_, nullptr);
  Block block = allocator_->allocate(x.bytes());
  const auto slices = static_cast<int64_t>(scaled.factors.size());
  const size_t length = static_cast<size_t>(x.size()) / scaled.factors.size();
  const size_t bytes = length * bytesPerElement(x.dtype);
  requireRoomForTeam();
#pragma omp parallel for
  for (int64_t slice = 0; slice < slices; ++slice) {
    const size_t first = static_cast<size_t>(slice) * bytes;
    scaleElements(static_cast<const std::byte*>(scaled.values->get()) + first,
                  scaled.factors[static_cast<size_t>(slice)], static_cast<std::byte*>(block.get()) + first,
                  x.dtype, length);
  }
  return plainStorage(std::move(block), x);
}

Tensor& CpuEngine::inOnePiece(Tensor& weight, std::optional<Tensor>& holder) {
  if (!static_cast<CpuStorage&>(*weight.storage).scaled()) {
    return weight;
  }
  holder.emplace(weight.shape, weight.dtype);
  holder->storage = scaled(weight);
  return *holder;
}

}  // namespace cudnn_resnet::cpu
