// In place of cuDNN: loops that compute what a graph describes, from the same bindings and memory as cuDNN's
// plans. With CUDNN_RESNET_REFUSE_FUSED set no fused convolution has a plan, as on a GPU that cuDNN knows
// less of; with CUDNN_RESNET_NO_BFLOAT16 it is one of before Ampere, and nothing in bfloat16 has.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "core/error.h"
#include "cuda/driver.h"
#include "cuda/engine.h"
#include "cuda/error.h"
#include "gpu.h"
#include "streams.h"
#include "test/activated.h"

struct cudnnContext {
  cudaStream_t stream = nullptr;
};

namespace cudnn_resnet::cuda {
namespace {

class Memory {
 public:
  Memory(const void* pointer, DType dtype) : pointer_(pointer), dtype_(dtype) {}
  [[nodiscard]] std::vector<double> all(int64_t count) const {
    std::vector<double> values(static_cast<size_t>(count));
    convertElements(pointer_, dtype_, values.data(), DType::Float64, values.size());
    return values;
  }
  [[nodiscard]] double operator[](int64_t i) const {
    double value = 0;
    convertElements(at(i), dtype_, &value, DType::Float64, 1);
    return value;
  }
  void set(int64_t i, double value) const {
    const auto rounded = static_cast<float>(value);  // cuDNN accumulates in float32
    convertElements(&rounded, DType::Float32, at(i), dtype_, 1);
  }

 private:
  [[nodiscard]] void* at(int64_t i) const {
    return static_cast<std::byte*>(const_cast<void*>(pointer_)) +
           i * static_cast<int64_t>(bytesPerElement(dtype_));
  }
  const void* pointer_;
  DType dtype_;
};

class Bound {
 public:
  explicit Bound(std::span<const Binding> bindings) {
    for (const Binding& binding : bindings) {
      if (binding.uid == Uid::Epsilon) {
        epsilon_ = *static_cast<const float*>(binding.pointer);
      } else {
        pointers_[binding.uid] = binding.pointer;
      }
    }
  }
  [[nodiscard]] Memory memory(Uid uid, DType dtype) const { return {pointers_.at(uid), dtype}; }
  // A GPU would still read what it is writing over.
  void checkApart() const {
    for (const auto& [uid, pointer] : pointers_) {
      if (uid != Uid::Y && pointer == pointers_.at(Uid::Y)) {
        std::fputs("emulated GPU: a plan writes over what it reads\n", stderr);
        std::abort();
      }
    }
  }
  [[nodiscard]] double epsilon() const { return epsilon_; }

 private:
  std::map<Uid, const void*> pointers_;
  float epsilon_ = 0;  // of the host's memory, and read when the plan is put into the stream
};

DType dtypeOf(Math math) {
  return math == Math::Float16 ? DType::Float16 : math == Math::BFloat16 ? DType::BFloat16 : DType::Float32;
}

int64_t offset(const Shape& shape, int64_t n, int64_t c, int64_t h, int64_t w, bool channelsLast = true) {
  return channelsLast ? ((n * shape[2] + h) * shape[3] + w) * shape[1] + c
                      : ((n * shape[1] + c) * shape[2] + h) * shape[3] + w;
}

template <typename Visit>
void everywhere(const Shape& y, Visit visit) {
  for (int64_t n = 0; n < y[0]; ++n) {
    for (int64_t c = 0; c < y[1]; ++c) {
      for (int64_t h = 0; h < y[2]; ++h) {
        for (int64_t w = 0; w < y[3]; ++w) {
          visit(n, c, h, w);
        }
      }
    }
  }
}

void run(const ConvGraph& g, const Bound& bound) {
  const DType dtype = dtypeOf(g.math);
  const Shape y = outputShape(g);
  const auto& a = g.attributes;
  const bool last = convolvesChannelsLast(g.math);
  const std::vector<double> x = bound.memory(Uid::X, dtype).all(elements(g.x));
  const std::vector<double> weight = bound.memory(Uid::Weight, dtype).all(elements(g.weight));
  everywhere(y, [&](int64_t n, int64_t k, int64_t p, int64_t q) {
    double sum = g.bias ? bound.memory(Uid::Bias, dtype)[k] : 0;
    const int64_t group = k / (g.weight[0] / a.groups);
    for (int64_t c = 0; c < g.weight[1]; ++c) {
      for (int64_t r = 0; r < g.weight[2]; ++r) {
        for (int64_t s = 0; s < g.weight[3]; ++s) {
          const int64_t h = p * a.stride[0] - a.padding[0] + r * a.dilation[0];
          const int64_t w = q * a.stride[1] - a.padding[1] + s * a.dilation[1];
          if (h >= 0 && h < g.x[2] && w >= 0 && w < g.x[3]) {
            sum += x[offset(g.x, n, group * g.weight[1] + c, h, w, last)] *
                   weight[offset(g.weight, k, c, r, s, last)];
          }
        }
      }
    }
    sum += g.add ? bound.memory(Uid::Add, dtype)[offset(y, n, k, p, q, last)] : 0;
    double result = test::activated(a.activation, sum);
    if (a.activation == Activation::Tanh) {
      result = std::round(result * 4096) / 4096;  // by an instruction of the GPU: so much worse that it shows
    }
    bound.memory(Uid::Y, dtype).set(offset(y, n, k, p, q, last), result);
  });
}

void run(const BatchNormGraph& g, const Bound& bound) {
  const DType dtype = dtypeOf(g.math);
  const Memory x = bound.memory(Uid::X, dtype);
  const double epsilon = bound.epsilon();
  const double count = static_cast<double>(g.x[0] * g.x[2] * g.x[3]);
  for (int64_t c = 0; c < g.x[1]; ++c) {
    const Shape plane{g.x[0], 1, g.x[2], g.x[3]};
    const auto at = [&](int64_t n, int64_t h, int64_t w) { return offset(g.x, n, c, h, w); };
    double mean = 0;
    everywhere(plane, [&](int64_t n, int64_t, int64_t h, int64_t w) { mean += x[at(n, h, w)] / count; });
    double variance = 0;
    everywhere(plane, [&](int64_t n, int64_t, int64_t h, int64_t w) {
      variance += (x[at(n, h, w)] - mean) * (x[at(n, h, w)] - mean) / count;
    });
    const double inverse = 1 / std::sqrt(variance + epsilon);
    const double scale = bound.memory(Uid::Scale, DType::Float32)[c];
    const double bias = bound.memory(Uid::Bias, DType::Float32)[c];
    everywhere(plane, [&](int64_t n, int64_t, int64_t h, int64_t w) {
      bound.memory(Uid::Y, dtype).set(at(n, h, w), (x[at(n, h, w)] - mean) * inverse * scale + bias);
    });
    bound.memory(Uid::Mean, DType::Float32).set(c, mean);
    bound.memory(Uid::InverseDeviation, DType::Float32).set(c, inverse);
  }
}

bool isSet(const char* variable) { return std::getenv(variable) != nullptr; }

bool refused(const GraphDescription& graph) {
  if (isSet("CUDNN_RESNET_NO_BFLOAT16") &&
      std::visit([](const auto& one) { return one.math; }, graph) == Math::BFloat16) {
    return true;
  }
  if (!isSet("CUDNN_RESNET_REFUSE_FUSED")) {
    return false;
  }
  const auto* conv = std::get_if<ConvGraph>(&graph);
  return conv != nullptr && (conv->bias || conv->add || conv->attributes.activation != Activation::None);
}

// What text() was given.
GraphDescription parsed(const std::string& text) {
  std::istringstream words(text);
  std::string kind, math, word;
  words >> kind >> math;
  ConvGraph conv;
  std::vector<int64_t> numbers;
  while (words >> word) {
    if (const auto activation = activationNamed(word)) {
      conv.attributes.activation = *activation;
      continue;
    }
    conv.bias |= word == "+bias";
    conv.add |= word == "+add";
    for (size_t at = 0; (at = word.find_first_of("0123456789", at)) != std::string::npos;) {
      size_t digits = 0;
      numbers.push_back(std::stoll(word.substr(at), &digits));
      at += digits;
    }
  }
  const std::map<std::string, Math> maths{
      {"f32", Math::Float32}, {"tf32", Math::TF32}, {"f16", Math::Float16}, {"bf16", Math::BFloat16}};
  const auto shape = [&](size_t at) { return Shape(numbers.begin() + at, numbers.begin() + at + 4); };
  const auto pair = [&](size_t at) { return Pair{numbers[at], numbers[at + 1]}; };
  conv.math = maths.at(math);
  if (kind == "conv" && numbers.size() == 15) {
    conv.x = shape(0);
    conv.weight = shape(4);
    conv.attributes.stride = pair(8);
    conv.attributes.padding = pair(10);
    conv.attributes.dilation = pair(12);
    conv.attributes.groups = numbers[14];
    return conv;
  }
  if (kind == "batch-norm" && numbers.size() == 4) {
    return BatchNormGraph{maths.at(math), shape(0)};
  }
  throw Error(ErrorCode::Backend, "not a plan: " + text);
}

}  // namespace

std::vector<CompiledGraph> compile(const Target&, const GraphDescription& graph, size_t most) {
  ++host_cuda::gpu.compilations;
  if (refused(graph) || !host_cuda::gpu.compiles || !host_cuda::gpu.hasRoomForCode()) {
    throw Error(ErrorCode::Backend, "refused: " + text(graph));
  }
  std::vector<CompiledGraph> plans;
  while (plans.size() < std::min(most, size_t{2})) {
    plans.push_back({std::make_shared<GraphDescription>(graph), nullptr, 0, "loops"});
  }
  return plans;
}

std::optional<std::string> CompiledGraph::serialize() const {
  return text(*static_cast<const GraphDescription*>(owner.get()));
}

Plan::Plan(CompiledGraph compiled) noexcept : owner_(std::move(compiled.owner)) {}

Plan::Plan(const Target&, const std::string& serialized)
    : owner_(std::make_shared<GraphDescription>(parsed(serialized))) {
  const bool loaded = host_cuda::gpu.loads && host_cuda::gpu.hasRoomForCode();
  check(loaded ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_INTERNAL_ERROR, "loading a plan");
}

void Plan::execute(cudnnHandle_t handle, std::span<const Binding> bindings, void*) const {
  checkOnDevice(host_cuda::gpu.hasRoomForCode() ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_INTERNAL_ERROR,
                "running a plan");
  host_cuda::enqueue(handle->stream, [bound = Bound(bindings), plan = std::weak_ptr(owner_)] {
    const auto owner = plan.lock();
    if (!owner) {
      std::fputs("emulated GPU: a plan was gone before it ran\n", stderr);
      std::abort();
    }
    bound.checkApart();
    std::visit([&](const auto& graph) { run(graph, bound); },
               *static_cast<const GraphDescription*>(owner.get()));
  });
}

const CudnnLibrary& requireCudnn() {
  static const CudnnLibrary library = [] {
    CudnnLibrary emulated;
    emulated.versionText = "9.0.0";
    // Both wait for the whole GPU, as cuDNN's do.
    emulated.create = [](cudnnHandle_t* handle) {
      cudaDeviceSynchronize();
      if (!host_cuda::gpu.opens) {
        return CUDNN_STATUS_INTERNAL_ERROR;
      }
      *handle = new cudnnContext;
      return CUDNN_STATUS_SUCCESS;
    };
    emulated.destroy = [](cudnnHandle_t handle) {
      cudaDeviceSynchronize();
      delete handle;
      return CUDNN_STATUS_SUCCESS;
    };
    emulated.setStream = [](cudnnHandle_t handle, cudaStream_t stream) {
      handle->stream = stream;
      return CUDNN_STATUS_SUCCESS;
    };
    return emulated;
  }();
  return library;
}

void checkOnDevice(cudnnStatus_t status, const char* what) {
  if (status != CUDNN_STATUS_SUCCESS) {
    checkDevice(what);
  }
  check(status, what);
}

void check(cudnnStatus_t status, const char* what) {
  if (status != CUDNN_STATUS_SUCCESS) {
    throw Error(ErrorCode::Backend, what);
  }
}

const CudnnSearch& cudnn() {
  static const CudnnSearch found{&requireCudnn(), "", ""};
  return found;
}

// Of a planner, which nothing here asks for.
Target::Target(const std::string&) {}
std::string describeDevice(int) { return "{}"; }
void requireDriver() {}

}  // namespace cudnn_resnet::cuda
