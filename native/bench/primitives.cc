// Every primitive at the shapes of ResNet-50, held against what the machine could do at most.
//
// usage: primitives [--device=ID] [--batch=N,N...] [--dtype=NAME] [Google Benchmark's options]
//
// Each line gives operations (FLOPs) and bytes (of inputs, weights and results, each counted once) a second,
// and `of_limit`: the share of the speed that the machine's peaks allow, whichever of the two is nearer.
// Activations that a cache holds may pass the memory's peak, and Winograd's transform, which computes less
// than is counted, the arithmetic's. That of convolutions is what tiles (AMX) allow, where there are any.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <iostream>
#include <sstream>
#include <utility>

#include "bench/clock.h"
#include "bench/peak.h"
#include "bench/resnet50.h"
#include "core/backend.h"
#include "core/random.h"

namespace cudnn_resnet::bench {
namespace {

constexpr ImageNormalization imagenet{{0.485F, 0.456F, 0.406F}, {0.229F, 0.224F, 0.225F}};

// A convolution as networks ask for it in inference.
Conv2dAttributes ofNetworks(Activation activation) {
  Conv2dAttributes attributes;
  attributes.activation = activation;
  attributes.algorithm = ConvAlgorithm::Fast;
  return attributes;
}

struct Options {
  std::string device = "cpu";
  std::vector<int64_t> batches{1, 8};
  DType dtype = DType::Float32;
};

// One engine, its clock and its limits, and tensors for it.
class Machine {
 public:
  explicit Machine(const Options& options) : dtype_(options.dtype) {
    for (const auto& backend : backends()) {
      for (const auto& description : backend.devices) {
        if (description.id == options.device) {
          memory_.use->limit = description.memory;
          engine_ = description.open(memory_);
          benchmark::AddCustomContext("device", description.name + ", " + description.engine);
        }
      }
    }
    if (!engine_) {
      throw std::runtime_error("there is no device " + options.device);
    }
    onGpu_ = options.device != "cpu";
    clock_ = makeClock();
    peak_ = onGpu_ ? measureWithEngine() : measurePeak();
    const auto context = [](const char* name, double value, const char* unit) {
      benchmark::AddCustomContext(name, std::to_string(static_cast<int64_t>(value / 1e9)) + unit);
    };
    context("peak of arithmetic", peak_.flops, " GFLOP/s");
    context("peak of memory", peak_.bytes, " GB/s");
    context("peak of tiles", peak_.tiles, " GFLOP/s");
  }

  [[nodiscard]] Engine& engine() { return *engine_; }
  [[nodiscard]] Clock& clock() { return *clock_; }
  [[nodiscard]] const Peak& peak() const { return peak_; }
  [[nodiscard]] DType dtype() const { return dtype_; }

  // Of convolutions: where there are tiles, three products stand for one of float32 (cpu/split-conv2d.cc).
  [[nodiscard]] double convolutionPeak() const {
    return std::max(peak_.flops, dtype_ == DType::BFloat16 ? peak_.tiles : peak_.tiles / 3);
  }

  TensorPtr random(const Shape& shape, DType dtype, float mean = 0) {
    auto x = std::make_shared<Tensor>(shape, dtype);
    std::vector<float> values(static_cast<size_t>(x->size()));
    fillNormal({1, stream_++}, mean, 1, values);
    std::vector<std::byte> bytes(x->bytes());
    convertElements(values.data(), DType::Float32, bytes.data(), dtype, values.size());
    engine_->upload(bytes.data(), *x);
    return x;
  }
  TensorPtr random(const Shape& shape) { return random(shape, dtype_); }

  // An activation in the layout that convolutions leave it in.
  TensorPtr activation(const Shape& shape) {
    const auto x = random(shape);
    if (shape.size() != 4 || shape[1] % 16 != 0) {
      return x;
    }
    const auto weight = random({shape[1], shape[1], 1, 1});
    auto y = std::make_shared<Tensor>(shape, dtype_);
    engine_->conv2d(ofNetworks(Activation::Relu), *x, *weight, nullptr, nullptr, *y);
    return y;
  }

  // As many of what `make` makes as no cache of a GPU holds; one on the CPU, where a network finds what the
  // layer before has just written.
  std::vector<TensorPtr> rotating(const std::function<TensorPtr()>& make) {
    std::vector<TensorPtr> list{make()};
#ifdef CUDNN_RESNET_CUDA
    if (onGpu_) {
      const size_t enough = std::min<size_t>(64, 2 * cudaCacheBytes() / list[0]->bytes() + 1);
      while (list.size() < enough) {
        list.push_back(make());
      }
    }
#endif
    return list;
  }

 private:
  std::unique_ptr<Clock> makeClock() {
#ifdef CUDNN_RESNET_CUDA
    if (onGpu_) {
      return cudaClock(*engine_);
    }
#endif
    return std::make_unique<HostClock>();
  }

  // A matrix product and a copy, both large.
  Peak measureWithEngine() {
    constexpr int64_t side = 8192;
    const auto a = random({side, side});
    const auto b = random({side, side});
    Tensor y({side, side}, dtype_);
    const auto product = [&] { engine_->linear({}, *a, *b, nullptr, y); };
    const auto copy = [&] { engine_->reshape(*a, y); };
    product();
    copy();
    const double flops = 2.0 * side * side * side / clock_->measure(product);
    return {flops, 2.0 * static_cast<double>(a->bytes()) / clock_->measure(copy), 0};
  }

  DType dtype_;
  bool onGpu_ = false;
  uint64_t stream_ = 0;
  EngineMemory memory_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Clock> clock_;
  Peak peak_{};
};

// What one call costs at least.
struct Cost {
  double flops, bytes;
};

void run(benchmark::State& state, Machine& machine, const Cost& cost, double peakFlops,
         const std::function<void()>& work) {
  work();  // plans, packed weights, memory
  machine.engine().synchronize();
  for (auto _ : state) {
    state.SetIterationTime(machine.clock().measure(work));
  }
  using benchmark::Counter;
  constexpr auto rate = Counter::kIsIterationInvariantRate;
  const double limit = std::max(cost.flops / peakFlops, cost.bytes / machine.peak().bytes);
  state.counters["FLOPs"] = Counter(cost.flops, rate);
  state.counters["bytes"] = Counter(cost.bytes, rate);
  state.counters["of_limit"] = Counter(limit, rate);
}

void run(benchmark::State& state, Machine& machine, const Cost& cost, const std::function<void()>& work) {
  run(state, machine, cost, machine.peak().flops, work);
}

using Body = std::function<void(benchmark::State&, Machine&, int64_t batch)>;

void add(Machine& machine, const Options& options, const std::string& name, const Body& body) {
  for (const int64_t batch : options.batches) {
    benchmark::RegisterBenchmark(
        (name + "/batch:" + std::to_string(batch)).c_str(),
        [&machine, body, batch](benchmark::State& state) { body(state, machine, batch); })
        ->UseManualTime()
        ->Unit(benchmark::kMicrosecond);
  }
}

double bytesOf(std::initializer_list<const Tensor*> tensors) {
  double bytes = 0;
  for (const Tensor* x : tensors) {
    bytes += x != nullptr ? static_cast<double>(x->bytes()) : 0;
  }
  return bytes;
}

void convolve(benchmark::State& state, Machine& machine, int64_t batch, const Convolution& layer) {
  auto attributes = ofNetworks(layer.relu ? Activation::Relu : Activation::None);
  attributes.stride = {layer.stride, layer.stride};
  attributes.padding = {layer.kernel / 2, layer.kernel / 2};
  const auto xs = machine.rotating([&] {
    return machine.activation({batch, layer.in, layer.size, layer.size});
  });
  const auto weight = machine.random({layer.out, layer.in, layer.kernel, layer.kernel});
  const auto bias = machine.random({layer.out}, DType::Float32);
  const Shape outShape{batch, layer.out, layer.outSize(), layer.outSize()};
  const auto residual = layer.add ? machine.activation(outShape) : nullptr;
  if (residual) {
    // as in a block: nothing reads it after this, so that the result may be written over it
    residual->abandoned = true;
    residual->pendingReads = 1;
  }
  Tensor y(outShape, machine.dtype());
  size_t turn = 0;
  const double macs = static_cast<double>(y.size()) * layer.in * layer.kernel * layer.kernel;
  const Cost cost{2 * macs, bytesOf({xs[0].get(), weight.get(), bias.get(), residual.get(), &y})};
  run(state, machine, cost, machine.convolutionPeak(), [&] {
    machine.engine().conv2d(attributes, *xs[turn++ % xs.size()], *weight, bias.get(), residual.get(), y);
    if (residual) {
      residual->storage = std::move(y.storage);
    }
  });
  state.counters["layers"] = layer.count;
}

// A primitive that reads activations of one shape and writes one tensor.
struct Unary {
  const char* name;
  Shape x, y;  // without the batch
  double flopsPerResult;
  std::function<void(Engine&, Tensor& x, Tensor& y)> call;
};

void runUnary(benchmark::State& state, Machine& machine, int64_t batch, const Unary& unary) {
  const auto batched = [batch](Shape shape) {
    shape.insert(shape.begin(), batch);
    return shape;
  };
  const auto xs = machine.rotating([&] { return machine.activation(batched(unary.x)); });
  Tensor y(batched(unary.y), machine.dtype());
  size_t turn = 0;
  run(state, machine, {unary.flopsPerResult * static_cast<double>(y.size()), bytesOf({xs[0].get(), &y})},
      [&] { unary.call(machine.engine(), *xs[turn++ % xs.size()], y); });
}

void registerUnary(Machine& machine, const Options& options) {
  const std::vector<Unary> list{
      {"maxPool2d",
       {64, 112, 112},
       {64, 56, 56},
       9,
       [](Engine& engine, Tensor& x, Tensor& y) {
         engine.pool2d({PoolKind::Max, {3, 3}, {2, 2}, {1, 1}}, x, y);
       }},
      {"globalAvgPool",
       {2048, 7, 7},
       {2048, 1, 1},
       49,
       [](Engine& engine, Tensor& x, Tensor& y) {
         engine.pool2d({PoolKind::AverageExcludingPadding, {7, 7}, {1, 1}, {0, 0}}, x, y);
       }},
      {"relu",
       {256, 56, 56},
       {256, 56, 56},
       1,
       [](Engine& engine, Tensor& x, Tensor& y) { engine.activate(Activation::Relu, x, y); }},
      {"add",
       {256, 56, 56},
       {256, 56, 56},
       1,
       [](Engine& engine, Tensor& x, Tensor& y) { engine.add(Activation::None, x, x, y); }},
      {"flatten",
       {2048, 1, 1},
       {2048},
       0,
       [](Engine& engine, Tensor& x, Tensor& y) { engine.reshape(x, y); }},
      {"softmax", {1000}, {1000}, 5, [](Engine& engine, Tensor& x, Tensor& y) { engine.softmax(x, y); }},
  };
  for (const auto& unary : list) {
    add(machine, options, unary.name,
        [unary](benchmark::State& state, Machine& on, int64_t batch) { runUnary(state, on, batch, unary); });
  }
}

void linear(benchmark::State& state, Machine& machine, int64_t batch) {
  const auto x = machine.random({batch, 2048});
  const auto weight = machine.random({1000, 2048});
  const auto bias = machine.random({1000}, DType::Float32);
  Tensor y({batch, 1000}, machine.dtype());
  run(state, machine,
      {2.0 * 2048 * static_cast<double>(y.size()), bytesOf({x.get(), weight.get(), bias.get(), &y})},
      [&] { machine.engine().linear({}, *x, *weight, bias.get(), y); });
}

void batchNorm(benchmark::State& state, Machine& machine, int64_t batch, bool training) {
  const Shape shape{batch, 256, 56, 56};
  const auto x = machine.activation(shape);
  const auto mean = machine.random({256}, DType::Float32);
  const auto variance = machine.random({256}, DType::Float32, 9);
  const auto weight = machine.random({256}, DType::Float32);
  const auto bias = machine.random({256}, DType::Float32);
  Tensor y(shape, machine.dtype());
  const BatchNormInputs inputs{*mean, *variance, weight.get(), bias.get(), 1e-5};
  const double flops = (training ? 5.0 : 2.0) * static_cast<double>(y.size());
  run(state, machine, {flops, bytesOf({x.get(), &y})}, [&] {
    if (training) {
      machine.engine().batchNormTraining(inputs, 0.1, nullptr, *x, y);
    } else {
      machine.engine().batchNorm(inputs, Activation::Relu, *x, y);
    }
  });
}

void normalizeImage(benchmark::State& state, Machine& machine, int64_t batch) {
  Tensor pixels({batch, 224, 224, 3}, DType::UInt8);
  const std::vector<uint8_t> bytes(pixels.bytes(), 117);
  machine.engine().upload(bytes.data(), pixels);
  Tensor y({batch, 3, 224, 224}, machine.dtype());
  run(state, machine, {2.0 * static_cast<double>(y.size()), bytesOf({&pixels, &y})},
      [&] { machine.engine().normalizeImage(imagenet, pixels, y); });
}

// From memory of the host and back: beside the rest, which stays on the device.
void transfer(benchmark::State& state, Machine& machine, int64_t batch) {
  Tensor x({batch, 3, 224, 224}, machine.dtype());
  std::vector<std::byte> host(x.bytes());
  HostClock clock;
  machine.engine().upload(host.data(), x);
  for (auto _ : state) {
    state.SetIterationTime(clock.measure([&] {
      machine.engine().upload(host.data(), x);
      machine.engine().download(x, host.data());
    }));
  }
  state.counters["bytes"] =
      benchmark::Counter(2.0 * static_cast<double>(x.bytes()), benchmark::Counter::kIsIterationInvariantRate);
}

void topK(benchmark::State& state, Machine& machine, int64_t batch) {
  const auto x = machine.random({batch, 1000});
  run(state, machine, {0, bytesOf({x.get()})}, [&] {
    TopK best;
    if (const Arrival arrival = machine.engine().topK(*x, 5, best)) {
      arrival();
    }
    benchmark::DoNotOptimize(best);
  });
}

void registerAll(Machine& machine, const Options& options) {
  for (const auto& layer : convolutions()) {
    std::ostringstream name;
    name << "conv2d/" << layer.name << '/' << layer.in << "->" << layer.out << ',' << layer.kernel << 'x'
         << layer.kernel << (layer.stride > 1 ? ",stride2" : "") << (layer.add ? ",add" : "") << ','
         << layer.size;
    add(machine, options, name.str(),
        [layer](benchmark::State& state, Machine& on, int64_t batch) { convolve(state, on, batch, layer); });
  }
  registerUnary(machine, options);
  add(machine, options, "linear", linear);
  for (const bool training : {false, true}) {
    add(machine, options, training ? "batchNormTraining" : "batchNorm",
        [training](benchmark::State& state, Machine& on, int64_t batch) {
          batchNorm(state, on, batch, training);
        });
  }
  add(machine, options, "normalizeImage", normalizeImage);
  add(machine, options, "uploadAndDownload", transfer);
  add(machine, options, "topK", topK);
}

// Takes our options out of the command line.
Options optionsOf(int& count, char** words) {
  Options options;
  const auto last = std::remove_if(words + 1, words + count, [&options](const char* word) {
    const std::string text = word;
    const auto value = [&text](const std::string& name) {
      return text.rfind(name, 0) == 0 ? text.substr(name.size()) : std::string();
    };
    if (const auto id = value("--device="); !id.empty()) {
      options.device = id;
    } else if (const auto dtype = value("--dtype="); !dtype.empty()) {
      options.dtype = dtypeNamed(dtype).value();
    } else if (const auto batches = value("--batch="); !batches.empty()) {
      options.batches.clear();
      std::istringstream list(batches);
      for (std::string batch; std::getline(list, batch, ',');) {
        options.batches.push_back(std::stoll(batch));
      }
    } else {
      return false;
    }
    return true;
  });
  count = static_cast<int>(last - words);
  return options;
}

}  // namespace
}  // namespace cudnn_resnet::bench

int main(int count, char** words) {
  using namespace cudnn_resnet::bench;
  try {
    const Options options = optionsOf(count, words);
    benchmark::Initialize(&count, words);
    if (benchmark::ReportUnrecognizedArguments(count, words)) {
      return 1;
    }
    Machine machine(options);
    registerAll(machine, options);
    benchmark::RunSpecifiedBenchmarks();
  } catch (const std::exception& error) {
    std::cerr << "primitives: " << error.what() << '\n';
    return 1;
  }
}
