#include "cuda/engine.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "cuda/capturing.h"
#include "cuda/error.h"
#include "cuda/graph.h"
#include "cuda/memory.h"
#include "kernels/convert.h"

namespace cudnn_resnet::cuda {
namespace {

// Two events on a stream, and the time between them.
class Stopwatch {
 public:
  explicit Stopwatch(const Stream& stream) : stream_(stream) {}

  void start() { begin_.record(stream_); }
  [[nodiscard]] float stop() {
    end_.record(stream_);
    end_.wait("timing a plan of cuDNN");
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, begin_.get(), end_.get()), "cudaEventElapsedTime");
    return milliseconds;
  }

 private:
  const Stream& stream_;
  Event begin_{Event::Use::Timing};
  Event end_{Event::Use::Timing};
};

// The device, to which from now on this thread's calls go.
int onDevice(int device) {
  check(cudaSetDevice(device), "cudaSetDevice");
  return device;
}

cudnnHandle_t newHandle() {
  const std::scoped_lock alone(capturing());
  cudnnHandle_t handle = nullptr;
  checkOnDevice(requireCudnn().create(&handle), "cudnnCreate");
  return handle;
}

}  // namespace

void CudaEngine::HandleEnd::operator()(cudnnHandle_t handle) const noexcept {
  const std::scoped_lock alone(capturing());
  requireCudnn().destroy(handle);
}

CudaEngine::CudaEngine(int device, const std::string& planIdentity, EngineOptions options,
                       EngineMemory& memory)
    : device_(onDevice(device)),
      options_(options),
      allocator_(
          std::make_shared<CachingAllocator>(std::make_unique<DeviceMemory>(device, stream_), memory.use)),
      handle_(newHandle()) {
  check(requireCudnn().setStream(handle_.get(), stream()), "cudnnSetStream");
  uploads_ = std::make_unique<Uploads>(*stream_, allocator_);
  downloads_ = std::make_unique<Staging>();
  plans_ = std::make_unique<PlanCache>(handle_.get(), *stream_, *allocator_, planIdentity);
  memory.allocator = allocator_;
  if (poisonsMemory()) {
    allocator_->onAllocation([this](void* pointer, size_t bytes) {
      check(cudaMemsetAsync(pointer, poison, bytes, stream()), "cudaMemsetAsync");
    });
  }
}

// Memory that the stream still uses must not be given away before it has.
CudaEngine::~CudaEngine() { cudaStreamSynchronize(stream()); }

std::unique_ptr<Tensor> CudaEngine::widened(Tensor* x) {
  if (x == nullptr) {
    return nullptr;
  }
  auto wide = std::make_unique<Tensor>(x->shape, DType::Float32);
  wide->ofEachRun = true;
  cast(*x, *wide);
  return wide;
}

Block CudaEngine::allocate(int64_t elements, DType dtype) {
  return allocator_->allocate(static_cast<size_t>(elements) * bytesPerElement(dtype));
}

void* CudaEngine::create(Tensor& y, Layout layout) {
  auto storage = std::make_unique<CudaStorage>(allocate(elementsIn(layout, y.shape), y.dtype), layout);
  void* data = storage->data();
  y.storage = std::move(storage);
  return data;
}

void CudaEngine::write(const Tensor& x, Layout layout, void* to) {
  const void* data = storageOf(x).data();
  const Layout from = storageOf(x).layout();
  const size_t size = bytesPerElement(x.dtype);
  if (from == layout) {
    check(cudaMemcpyAsync(to, data, static_cast<size_t>(elementsIn(layout, x.shape)) * size,
                          cudaMemcpyDeviceToDevice, stream()),
          "copying on the GPU");
    return;
  }
  // Layouts other than C order are those of four dimensions.
  const int64_t channels = x.shape[1];
  const int64_t pixels = x.shape[2] * x.shape[3];
  if (from.channelsLast && layout.channelsLast) {
    kernels::copyRows({x.shape[0] * pixels, channels, from.channels, layout.channels}, data, to, size,
                      stream());
  } else if (layout.channelsLast) {
    kernels::transpose({channels, pixels, pixels, layout.channels, x.shape[0]}, data, to, size, stream());
  } else {
    kernels::transpose({pixels, channels, from.channels, pixels, x.shape[0]}, data, to, size, stream());
  }
}

void* CudaEngine::in(Layout layout, Tensor& x) {
  CudaStorage& storage = storageOf(x);
  if (storage.layout() != layout) {
    if (captured_ != nullptr && !x.ofEachRun) {
      // It would then stand in memory of the graph, and its own, which the graph reads, would be given away.
      throw Error(ErrorCode::Backend, "a constant of a program is wanted in two layouts");
    }
    Block block = allocate(elementsIn(layout, x.shape), x.dtype);
    write(x, layout, block.get());
    storage.replace(std::move(block), layout);
  }
  return storage.data();
}

const void* CudaEngine::biasIn(DType dtype, Tensor& bias) {
  CudaStorage& storage = storageOf(bias);
  if (bias.dtype == dtype) {
    return storage.data();
  }
  auto found = storage.casts.find(dtype);
  if (found == storage.casts.end()) {
    Block block = allocate(bias.size(), dtype);
    kernels::cast(storage.data(), bias.dtype, block.get(), dtype, bias.size(), stream());
    found = storage.casts.emplace(dtype, std::move(block)).first;
  }
  return found->second.get();
}

Block CudaEngine::workspaceFor(const Plan& plan) {
  return plan.workspaceBytes() > 0 ? allocator_->allocate(plan.workspaceBytes()) : Block();
}

void CudaEngine::execute(const Plan& plan, std::span<const Binding> bindings) {
  const Block workspace = workspaceFor(plan);
  // The first run loads the code.
  allocator_->withRoom([&] { plan.execute(handle_.get(), bindings, workspace.get()); });
  if (captured_ != nullptr) {
    captured_->push_back(plan);
  }
}

std::optional<float> CudaEngine::time(const Plan& plan, std::span<const Binding> bindings) {
  constexpr int rounds = 3;
  constexpr int runs = 10;
  try {
    execute(plan, bindings);  // the first run loads the code
    const Block workspace = workspaceFor(plan);
    // As networks run it. One by one a small one would take as long as launching it.
    const ExecutableGraph graph = captured(stream(), [&] {
      for (int run = 0; run < runs; ++run) {
        plan.execute(handle_.get(), bindings, workspace.get());
      }
    });
    Stopwatch watch(*stream_);
    std::optional<float> best;
    for (int round = 0; round < rounds; ++round) {
      watch.start();
      check(cudaGraphLaunch(graph.get(), stream()), "cudaGraphLaunch");
      const float milliseconds = watch.stop() / runs;
      best = std::min(best.value_or(milliseconds), milliseconds);
    }
    return best;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::DeviceLost) {
      throw;
    }
    stream_->synchronize();  // its code may be running, and goes where another plan is taken
    return std::nullopt;     // too large a workspace, or a plan that does not run here, or in no graph
  }
}

void CudaEngine::usePlans(const std::string& folder) { plans_->alsoRead(folder); }

void CudaEngine::uploadFrom(const Reader& read, Tensor& y) {
  uploads_->upload(read, create(y, plain), y.bytes());
}

Arrival CudaEngine::arrival(std::function<void(Staging&)> finish) {
  const auto computed = std::make_shared<Event>();
  computed->record(*stream_);
  return [this, computed, finish = std::move(finish)] {
    onDevice(device_);
    const std::scoped_lock lock(downloading_);
    downloads_->stream().waitFor(*computed);
    finish(*downloads_);
  };
}

Arrival CudaEngine::fetch(Tensor& x, void* data) {
  // What is copied on the GPU first can be written over meanwhile.
  constexpr size_t mostCopied = size_t{4} << 20U;
  const auto download = [this, data, bytes = x.bytes()](const auto& block) {
    return arrival([block, data, bytes](Staging& staging) { staging.download(block->get(), data, bytes); });
  };
  if (const CudaStorage& storage = storageOf(x); storage.layout() == plain && x.bytes() > mostCopied) {
    download(std::make_shared<Block>(nullptr, storage.data(), x.bytes()))();
    return {};
  }
  const auto values = std::make_shared<Block>(allocate(x.size(), x.dtype));
  write(x, plain, values->get());
  return download(values);
}

void CudaEngine::zeros(Tensor& y) {
  check(cudaMemsetAsync(create(y, plain), 0, y.bytes(), stream()), "cudaMemsetAsync");
}

void CudaEngine::cast(Tensor& x, Tensor& y) {
  const Layout layout = storageOf(x).layout();
  kernels::cast(storageOf(x).data(), x.dtype, create(y, layout), y.dtype, elementsIn(layout, x.shape),
                stream());
}

// y may be x.
void CudaEngine::reshape(Tensor& x, Tensor& y) {
  Block block = allocate(y.size(), y.dtype);
  write(x, plain, block.get());
  y.storage = std::make_unique<CudaStorage>(std::move(block), plain);
}

void CudaEngine::copy(Tensor& x, Tensor& y) {
  if (!y.storage) {
    create(y, storageOf(x).layout());
  }
  write(x, storageOf(y).layout(), storageOf(y).data());
  storageOf(y).changed();
}

void CudaEngine::alias(Tensor& x, Tensor& y) {
  const CudaStorage& storage = storageOf(x);
  y.storage = std::make_unique<CudaStorage>(Block(nullptr, storage.data(), x.bytes()), storage.layout());
}

void CudaEngine::synchronize() { stream_->synchronize(); }

void CudaEngine::trim() noexcept { uploads_->trim(); }

}  // namespace cudnn_resnet::cuda
