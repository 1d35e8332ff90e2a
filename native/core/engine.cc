#include "core/engine.h"

#include <cstddef>
#include <cstring>

namespace cudnn_resnet {

void Engine::upload(const void* data, Tensor& y) {
  uploadFrom([data](void* to, size_t offset,
                    size_t bytes) { std::memcpy(to, static_cast<const std::byte*>(data) + offset, bytes); },
             y);
}

void Engine::download(Tensor& x, void* data) {
  if (const Arrival arrival = fetch(x, data)) {
    arrival();
  }
}

void Engine::scaleSlices(const std::vector<double>& factors, Tensor& x, Tensor& y) {
  std::vector<std::byte> elements(x.bytes());
  download(x, elements.data());
  const size_t bytes = elements.size() / factors.size();
  for (size_t slice = 0; slice < factors.size(); ++slice) {
    std::byte* const first = elements.data() + slice * bytes;
    scaleElements(first, factors[slice], first, x.dtype, bytes / bytesPerElement(x.dtype));
  }
  upload(elements.data(), y);
}

}  // namespace cudnn_resnet
