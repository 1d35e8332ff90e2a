#include "cpu/engine.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace cudnn_resnet::cpu {
namespace {

// Cache lines and AVX-512 registers are 64 bytes wide.
constexpr size_t alignment = 64;

class HostMemory : public RawMemory {
 public:
  void* allocate(size_t bytes) override {
    return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  }
  void release(void* pointer, size_t /*bytes*/) noexcept override { std::free(pointer); }
};

// Large enough for every primitive of a few networks at a few input shapes.
constexpr size_t mostCompiled = 2048;

// Splits `count` elements over the threads.
template <typename Function>
void parallel(size_t count, Function&& function) {
  constexpr size_t grain = 1U << 15U;
  const auto chunks = static_cast<int64_t>((count + grain - 1) / grain);
#pragma omp parallel for
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    const size_t begin = static_cast<size_t>(chunk) * grain;
    function(begin, std::min(grain, count - begin));
  }
}

void convertInParallel(const void* from, DType fromType, void* to, DType toType, size_t count) {
  parallel(count, [=](size_t begin, size_t length) {
    convertElements(static_cast<const std::byte*>(from) + begin * bytesPerElement(fromType), fromType,
                    static_cast<std::byte*>(to) + begin * bytesPerElement(toType), toType, length);
  });
}

void copyInParallel(const void* from, void* to, size_t bytes) {
  parallel(bytes, [=](size_t begin, size_t length) {
    std::memcpy(static_cast<std::byte*>(to) + begin, static_cast<const std::byte*>(from) + begin, length);
  });
}

CpuStorage& storageOf(const Tensor& x) { return static_cast<CpuStorage&>(*x.storage); }

bool knownToOnednn(DType dtype) { return dtype == DType::Float32 || dtype == DType::BFloat16; }

// The elements of a tensor in C order.
std::unique_ptr<CpuStorage> plainStorage(Block block, const Tensor& tensor) {
  return knownToOnednn(tensor.dtype)
             ? std::make_unique<CpuStorage>(Buffer{std::move(block), plain(tensor.shape, tensor.dtype)})
             : std::make_unique<CpuStorage>(std::move(block));
}

}  // namespace

dnnl::memory::data_type onednnType(DType dtype) {
  return dtype == DType::BFloat16 ? dnnl::memory::data_type::bf16 : dnnl::memory::data_type::f32;
}

Layout plain(const Shape& shape, DType dtype) {
  dnnl::memory::dims strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) {
    strides[i - 1] = strides[i] * shape[i];
  }
  return shape.empty() ? Layout({1}, onednnType(dtype), dnnl::memory::dims{1})
                       : Layout(shape, onednnType(dtype), strides);
}

CpuEngine::CpuEngine(EngineMemory& memory)
    : engine_(dnnl::engine::kind::cpu, 0),
      stream_(engine_),
      allocator_(std::make_shared<CachingAllocator>(std::make_unique<HostMemory>(), memory.use)),
      computesBfloat16_(dnnl::get_effective_cpu_isa() >= dnnl::cpu_isa::avx512_core) {
  memory.allocator = allocator_;
}

DType CpuEngine::computeType(DType dtype) const noexcept {
  return dtype == DType::BFloat16 && computesBfloat16_ ? DType::BFloat16 : DType::Float32;
}

Buffer CpuEngine::allocate(const Layout& layout) { return {allocator_->allocate(layout.get_size()), layout}; }

dnnl::memory CpuEngine::view(const Layout& layout, void* data) const { return {layout, engine_, data}; }

dnnl::memory CpuEngine::view(const Tensor& parameter) const {
  return view(plain(parameter.shape, DType::Float32), storageOf(parameter).data());
}

dnnl::primitive_attr CpuEngine::attributes() const {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);  // so that it counts as memory in use
  return attributes;
}

const Compiled& CpuEngine::compiled(const std::string& key, const std::function<Compiled()>& compile) {
  const auto found = compiled_.find(key);
  if (found != compiled_.end()) {
    return found->second;
  }
  if (compiled_.size() >= mostCompiled) {
    formerlyCompiled_ = std::exchange(compiled_, {});
  }
  try {
    return compiled_.emplace(key, compile()).first->second;
  } catch (const dnnl::error& error) {
    throw Error(error.status == dnnl_out_of_memory ? ErrorCode::OutOfMemory : ErrorCode::Backend,
                std::string("oneDNN: ") + error.message);
  }
}

void CpuEngine::execute(const Compiled& compiled, Arguments arguments) {
  Buffer scratchpad;
  if (compiled.scratchpad.get_size() > 0) {
    scratchpad = allocate(compiled.scratchpad);
    arguments[DNNL_ARG_SCRATCHPAD] = view(scratchpad);
  }
  try {
    compiled.primitive.execute(stream_, arguments);
    stream_.wait();
  } catch (const dnnl::error& error) {
    throw Error(error.status == dnnl_out_of_memory ? ErrorCode::OutOfMemory : ErrorCode::Backend,
                std::string("oneDNN: ") + error.message);
  }
}

void CpuEngine::reorder(const dnnl::memory& from, const dnnl::memory& to) {
  const auto& primitive =
      compiled(Key('r').with(from.get_desc()).with(to.get_desc()).text(), [&]() -> Compiled {
        const dnnl::reorder::primitive_desc chosen(engine_, from.get_desc(), engine_, to.get_desc(),
                                                   attributes());
        return {dnnl::reorder(chosen), from.get_desc(), {}, to.get_desc(), chosen.scratchpad_desc()};
      });
  execute(primitive, {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
}

Layout CpuEngine::currentLayout(const Tensor& x) const {
  const auto& layout = storageOf(x).layout();
  const bool usable =
      layout && elementType(*layout) == onednnType(computeType(x.dtype)) && dimensions(*layout) == x.shape;
  return usable ? *layout : plain(x.shape, computeType(x.dtype));
}

dnnl::memory CpuEngine::in(const Layout& layout, Tensor& x, Buffer& holder) {
  const CpuStorage& storage = storageOf(x);
  if (storage.layout() == layout) {
    return view(layout, storage.data());
  }
  Buffer widened;
  dnnl::memory source;
  if (storage.layout()) {
    source = view(*storage.layout(), storage.data());
  } else {
    widened = allocate(plain(x.shape, DType::Float32));
    convertInParallel(storage.data(), x.dtype, widened.block.get(), DType::Float32,
                      static_cast<size_t>(x.size()));
    source = view(widened);
  }
  if (dimensions(source.get_desc()) != dimensions(layout)) {
    // Weights with groups have five dimensions in oneDNN: the same elements in C order.
    if (source.get_desc() != plain(dimensions(source.get_desc()), DType::Float32) &&
        source.get_desc() != plain(dimensions(source.get_desc()), DType::BFloat16)) {
      Buffer ordered = allocate(plain(x.shape, computeType(x.dtype)));
      reorder(source, view(ordered));
      widened = std::move(ordered);
      source = view(widened);
    }
    const auto type =
        elementType(source.get_desc()) == dnnl::memory::data_type::bf16 ? DType::BFloat16 : DType::Float32;
    source = view(plain(dimensions(layout), type), source.get_data_handle());
  }
  if (source.get_desc() == layout) {
    holder = std::move(widened);
    return source;
  }
  holder = allocate(layout);
  reorder(source, view(holder));
  return view(holder);
}

dnnl::memory CpuEngine::packed(const Layout& layout, Tensor& weight) {
  CpuStorage& storage = storageOf(weight);
  if (storage.layout() == layout) {
    return view(layout, storage.data());
  }
  for (const Buffer& buffer : storage.packed) {
    if (buffer.layout == layout) {
      return view(buffer);
    }
  }
  Buffer holder;
  dnnl::memory result = in(layout, weight, holder);
  if (holder.block.get() == nullptr) {
    return result;  // the tensor's own memory, seen with other dimensions
  }
  // The first layout asked for takes the place of C order, so that weights are held once. A layout that is no
  // rearrangement (Winograd's) cannot be read back, and stands beside it.
  const bool wasPlain = storage.layout() == plain(weight.shape, weight.dtype);
  if (wasPlain && isBlocked(layout) && elementType(layout) == onednnType(weight.dtype)) {
    storage.replace(std::move(holder));
  } else {
    constexpr size_t mostPacked = 3;
    if (storage.packed.size() == mostPacked) {
      storage.packed.erase(storage.packed.begin());
    }
    storage.packed.push_back(std::move(holder));
  }
  return result;
}

void CpuEngine::store(Buffer result, Tensor& y) {
  if (elementType(result.layout) == onednnType(y.dtype) && knownToOnednn(y.dtype)) {
    y.storage = std::make_unique<CpuStorage>(std::move(result));
    return;
  }
  const Layout ordered = plain(y.shape, DType::Float32);
  if (result.layout != ordered) {
    Buffer plainResult = allocate(ordered);
    reorder(view(result), view(plainResult));
    result = std::move(plainResult);
  }
  Block rounded = allocator_->allocate(y.bytes());
  convertInParallel(result.block.get(), DType::Float32, rounded.get(), y.dtype,
                    static_cast<size_t>(y.size()));
  y.storage = plainStorage(std::move(rounded), y);
}

void CpuEngine::upload(const void* data, Tensor& y) {
  Block block = allocator_->allocate(y.bytes());
  copyInParallel(data, block.get(), y.bytes());
  y.storage = plainStorage(std::move(block), y);
}

void CpuEngine::download(Tensor& x, void* data) {
  const CpuStorage& storage = storageOf(x);
  const Layout ordered = storage.layout() ? plain(dimensions(*storage.layout()), x.dtype) : Layout();
  if (storage.layout() && *storage.layout() != ordered) {
    reorder(view(*storage.layout(), storage.data()), view(ordered, data));
  } else {
    copyInParallel(storage.data(), data, x.bytes());
  }
}

void CpuEngine::zeros(Tensor& y) {
  Block block = allocator_->allocate(y.bytes());
  std::memset(block.get(), 0, y.bytes());
  y.storage = plainStorage(std::move(block), y);
}

void CpuEngine::cast(Tensor& x, Tensor& y) {
  const CpuStorage& storage = storageOf(x);
  if (storage.layout() && knownToOnednn(y.dtype)) {
    Buffer result = allocate(plain(x.shape, y.dtype));
    reorder(view(*storage.layout(), storage.data()), view(result));
    store(std::move(result), y);
    return;
  }
  std::vector<std::byte> ordered(x.bytes());
  download(x, ordered.data());
  std::vector<std::byte> converted(y.bytes());
  convertInParallel(ordered.data(), x.dtype, converted.data(), y.dtype, static_cast<size_t>(x.size()));
  upload(converted.data(), y);
}

void CpuEngine::reshape(Tensor& x, Tensor& y) {
  std::vector<std::byte> ordered(x.bytes());
  download(x, ordered.data());
  upload(ordered.data(), y);
}

}  // namespace cudnn_resnet::cpu
