#include "cpu/engine.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "core/exchanged.h"
#include "cpu/parallel.h"
#include "cpu/split.h"
#include "cpu/threads.h"
#include "cpu/winograd.h"

namespace cudnn_resnet::cpu {
namespace {

// Large enough for every primitive of a few networks at a few input shapes.
constexpr size_t mostCompiled = 2048;

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

Error translated(const dnnl::error& error) {
  return {error.status == dnnl_out_of_memory ? ErrorCode::OutOfMemory : ErrorCode::Backend,
          std::string("oneDNN: ") + error.message};
}

// oneDNN does not look whether it gets memory for the code that it generates, nor for much else.
void requireRoomForCode() {
  constexpr size_t room = size_t{8} << 20U;  // many times what one primitive takes
  HostMemory memory;
  void* const block = memory.allocate(room);
  if (block == nullptr) {
    throw Error(
        ErrorCode::OutOfMemory,
        "no memory on the host for the code of an operation: dispose of tensors, or raise the limit on this "
        "process (ulimit -v) or on its container");
  }
  memory.release(block, room);
}

dnnl::engine processor() {
  requireRoomForCode();
  return {dnnl::engine::kind::cpu, 0};
}

bool knownToOnednn(DType dtype) { return dtype == DType::Float32 || dtype == DType::BFloat16; }

}  // namespace

std::unique_ptr<CpuStorage> plainStorage(Block block, const Tensor& tensor) {
  std::optional<Layout> layout;
  if (knownToOnednn(tensor.dtype)) {
    layout = plain(tensor.shape, tensor.dtype);
  }
  return std::make_unique<CpuStorage>(std::move(block), std::move(layout));
}

CpuEngine::CpuEngine(EngineMemory& memory, std::unique_ptr<RawMemory> raw) try
    : engine_(processor()),
      stream_(engine_),
      allocator_(std::make_shared<CachingAllocator>(std::move(raw), memory.use)),
      hasAvx512_(hasInstructions(dnnl::cpu_isa::avx512_core)),
      multipliesInTiles_(multipliesInTiles()),
      hasWinograd_(hasAvx512_ && findsWinograd(engine_)) {
  memory.allocator = allocator_;
  if (poisonsMemory()) {
    allocator_->onAllocation(
        [this](void* pointer, size_t bytes) { perform([=] { std::memset(pointer, poison, bytes); }); });
  }
  useThreads(threadsToUse());
} catch (const dnnl::error& error) {
  throw translated(error);
}

void CpuEngine::setThreads(int threads) {
  useThreads(threads);
  compiled_.clear();  // primitives are made for a number of threads
}

DType CpuEngine::computeType(DType dtype) const noexcept {
  return dtype == DType::BFloat16 && hasAvx512_ ? DType::BFloat16 : DType::Float32;
}

CpuStorage& CpuEngine::storageOf(const Tensor& x) {
  auto& storage = static_cast<CpuStorage&>(*x.storage);
  if (storage.scaled()) {
    storage.replace(std::move(*scaled(x)));
  }
  return storage;
}

Buffer CpuEngine::allocate(const Layout& layout) { return {allocator_->allocate(layout.get_size()), layout}; }

dnnl::memory CpuEngine::view(const Layout& layout, void* data) const { return {layout, engine_, data}; }

dnnl::memory CpuEngine::view(const Tensor& parameter) {
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
  requireRoomForCode();
  if (compiled_.size() >= mostCompiled) {
    formerlyCompiled_ = std::exchange(compiled_, {});
  }
  try {
    return compiled_.emplace(key, compile()).first->second;
  } catch (const dnnl::error& error) {
    throw translated(error);
  }
}

void CpuEngine::perform(std::function<void()> step) {
  if (captured_ != nullptr) {
    captured_->steps.push_back(std::move(step));
  } else {
    step();
  }
}

void CpuEngine::execute(const Compiled& compiled, Arguments arguments) {
  Buffer scratchpad;
  if (compiled.scratchpad.get_size() > 0) {
    scratchpad = allocate(compiled.scratchpad);
    arguments[DNNL_ARG_SCRATCHPAD] = view(scratchpad);
  }
  perform([primitive = compiled.primitive, arguments = std::move(arguments), stream = stream_]() mutable {
    requireRoomForTeam();
    try {
      primitive.execute(stream, arguments);
      stream.wait();
    } catch (const dnnl::error& error) {
      throw translated(error);
    }
  });
}

void CpuEngine::multiply(const Compiled& compiled, void* from, Tensor& weight, const dnnl::memory& bias,
                         void* to) {
  Buffer held;
  Arguments arguments{{DNNL_ARG_SRC, view(compiled.x, from)},
                      {DNNL_ARG_WEIGHTS, packed(compiled.weight, weight, held)},
                      {DNNL_ARG_DST, view(compiled.y, to)}};
  if (bias.get(true) != nullptr) {
    arguments[DNNL_ARG_BIAS] = bias;
  }
  execute(compiled, std::move(arguments));
}

void CpuEngine::reorder(const dnnl::memory& from, const dnnl::memory& to) {
  const Layout given = from.get_desc();
  const Layout wanted = to.get_desc();
  if (dimensions(given) != dimensions(wanted)) {
    // Weights with groups have five dimensions in oneDNN, those of a linear layer may have four: the same
    // elements in C order.
    const Layout ordered = inOrder(given, dimensions(given));
    Buffer held;
    if (given != ordered) {
      held = allocate(ordered);
      reorder(from, view(held));
    }
    void* const values = given != ordered ? held.block.get() : from.get_data_handle();
    reorder(view(inOrder(given, dimensions(wanted)), values), to);
    return;
  }
  const auto& primitive = compiled(Key('r').with(given).with(wanted).text(), [&]() -> Compiled {
    const dnnl::reorder::primitive_desc chosen(engine_, given, engine_, wanted, attributes());
    return {dnnl::reorder(chosen), given, {}, wanted, chosen.scratchpad_desc()};
  });
  execute(primitive, {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
}

Layout CpuEngine::currentLayout(const Tensor& x) {
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
    perform([from = storage.data(), type = x.dtype, to = widened.block.get(),
             count = static_cast<size_t>(x.size())] {
      convertInParallel(from, type, to, DType::Float32, count);
    });
    source = view(widened);
  }
  if (source.get_desc() == inOrder(source.get_desc(), dimensions(source.get_desc()))) {
    source = view(inOrder(source.get_desc(), dimensions(layout)), source.get_data_handle());
  }
  if (source.get_desc() == layout) {
    holder = std::move(widened);
    return source;
  }
  holder = allocate(layout);
  reorder(source, view(holder));
  return view(holder);
}

dnnl::memory CpuEngine::inFloat32(Tensor* bias, Buffer& holder) {
  return bias != nullptr ? in(plain(bias->shape, DType::Float32), *bias, holder) : dnnl::memory();
}

dnnl::memory CpuEngine::arranged(const Layout& layout, Tensor& weight, Buffer& holder) {
  if (isBlocked(layout)) {
    return in(layout, weight, holder);
  }
  // A layout that is no rearrangement is made from C order only.
  Buffer held;
  const dnnl::memory ordered = in(plain(weight.shape, DType::Float32), weight, held);
  holder = allocate(layout);
  dnnl::memory made = view(holder);
  if (knowsWeights(layout)) {
    perform([from = static_cast<const float*>(ordered.get_data_handle()), layout,
             to = static_cast<float*>(made.get_data_handle())] { transformWeights(from, layout, to); });
  } else {
    reorder(ordered, made);
  }
  return made;
}

dnnl::memory CpuEngine::packed(const Layout& layout, Tensor& weight, Buffer& holder) {
  const auto& storage = static_cast<CpuStorage&>(*weight.storage);
  if (storage.layout() == layout) {
    return view(layout, storage.data());
  }
  if (weight.ofEachRun) {
    return arranged(layout, weight, holder);
  }
  std::shared_ptr<const Buffer> beside = storage.packed(layout);
  if (!beside) {
    beside = pack(layout, weight);
  }
  if (!beside) {
    return view(layout, storage.data());
  }
  if (captured_ != nullptr) {
    captured_->weights.push_back(beside);
  }
  return view(*beside);
}

std::shared_ptr<const Buffer> CpuEngine::pack(const Layout& layout, Tensor& weight) {
  auto& storage = static_cast<CpuStorage&>(*weight.storage);
  // This stays with the tensor: it is no part of a computation that is being captured.
  const CachingAllocator::Apart apart(*allocator_);
  const Exchanged<Captured*> now(captured_, nullptr);
  std::optional<Tensor> made;
  Tensor& whole = inOnePiece(weight, made);
  Buffer kept;
  (void)arranged(layout, whole, kept);
  if (kept.block.get() == nullptr) {  // the tensor's own memory, seen with other dimensions
    if (made) {
      storage.replace(std::move(storageOf(*made)));
    }
    return nullptr;
  }
  // The first layout asked for takes the place of C order, so that weights are held once. A layout that is no
  // rearrangement (Winograd's) cannot be read back, and stands beside it.
  const bool wasPlain = storageOf(whole).layout() == plain(weight.shape, weight.dtype);
  if (wasPlain && isBlocked(layout) && elementType(layout) == onednnType(weight.dtype)) {
    storage.replace(CpuStorage(std::move(kept)));
    return nullptr;
  }
  auto beside = std::make_shared<const Buffer>(std::move(kept));
  storage.keepPacked(beside);
  return beside;
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
  perform(
      [from = result.block.get(), to = rounded.get(), type = y.dtype, count = static_cast<size_t>(y.size())] {
        convertInParallel(from, DType::Float32, to, type, count);
      });
  y.storage = plainStorage(std::move(rounded), y);
}

void CpuEngine::uploadFrom(const Reader& read, Tensor& y) {
  Block block = allocator_->allocate(y.bytes());
  parallel(y.bytes(), [&](size_t begin, size_t length) {
    read(static_cast<std::byte*>(block.get()) + begin, begin, length);
  });
  y.storage = plainStorage(std::move(block), y);
}

void CpuEngine::writeOrdered(const Tensor& x, void* to) {
  const CpuStorage& storage = storageOf(x);
  const Layout ordered = storage.layout() ? plain(dimensions(*storage.layout()), x.dtype) : Layout();
  if (storage.layout() && *storage.layout() != ordered) {
    reorder(view(*storage.layout(), storage.data()), view(ordered, to));
  } else {
    perform([from = storage.data(), to, bytes = x.bytes()] { copyInParallel(from, to, bytes); });
  }
}

Arrival CpuEngine::fetch(Tensor& x, void* data) {
  writeOrdered(x, data);
  return {};
}

void CpuEngine::zeros(Tensor& y) {
  Block block = allocator_->allocate(y.bytes());
  perform([to = block.get(), bytes = y.bytes()] { std::memset(to, 0, bytes); });
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
  const Block ordered = allocator_->allocate(x.bytes());
  writeOrdered(x, ordered.get());
  Block converted = allocator_->allocate(y.bytes());
  perform([from = ordered.get(), fromType = x.dtype, to = converted.get(), toType = y.dtype,
           count = static_cast<size_t>(x.size())] { convertInParallel(from, fromType, to, toType, count); });
  y.storage = plainStorage(std::move(converted), y);
}

void CpuEngine::reshape(Tensor& x, Tensor& y) {
  Block block = allocator_->allocate(y.bytes());
  writeOrdered(x, block.get());
  y.storage = plainStorage(std::move(block), y);
}

void CpuEngine::copy(Tensor& x, Tensor& y) {
  const CpuStorage& from = storageOf(x);
  if (y.storage && storageOf(y).isShared()) {
    y.storage.reset();
  }
  const size_t bytes = from.layout() ? from.layout()->get_size() : x.bytes();
  if (!y.storage) {
    y.storage = std::make_unique<CpuStorage>(allocator_->allocate(bytes), from.layout());
  }
  CpuStorage& to = storageOf(y);
  to.changed();
  if (from.layout() != to.layout()) {
    reorder(view(*from.layout(), from.data()), view(*to.layout(), to.data()));
    return;
  }
  perform([source = from.data(), target = to.data(), bytes] { copyInParallel(source, target, bytes); });
}

void CpuEngine::alias(Tensor& x, Tensor& y) {
  const CpuStorage& storage = storageOf(x);
  y.storage = std::make_unique<CpuStorage>(Block(nullptr, storage.data(), x.bytes()), storage.layout());
}

}  // namespace cudnn_resnet::cpu
