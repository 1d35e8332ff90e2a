#include "cuda/listening-engine.h"

#include <cstring>
#include <memory>
#include <string>
#include <unordered_set>
#include <utility>

namespace cudnn_resnet::cuda {
namespace {

void keepNothing(Tensor& y) { y.storage = std::make_unique<Storage>(); }

}  // namespace

Math ListeningEngine::math(DType dtype, const ComputeOptions& compute) const {
  return mathOf(bfloat16_ || dtype != DType::BFloat16 ? dtype : DType::Float32, compute);
}

void ListeningEngine::askForConvolution(const ConvGraph& graph) {
  if (!isFused(graph) || !planned(graph)) {
    planned(convolutionAlone(graph));
  }
}

void ListeningEngine::conv2d(const Conv2dAttributes& attributes, Tensor& x, Tensor& weight, Tensor* bias,
                             Tensor* add, Tensor& y) {
  askForConvolution(convGraph(math(x.dtype, attributes.compute), attributes, x.shape, weight.shape,
                              bias != nullptr, add != nullptr));
  keepNothing(y);
}

void ListeningEngine::linear(const LinearAttributes& attributes, Tensor& x, Tensor& weight, Tensor* bias,
                             Tensor& y) {
  askForConvolution(
      linearGraph(math(x.dtype, attributes.compute), attributes, x.shape, weight.shape, bias != nullptr));
  keepNothing(y);
}

void ListeningEngine::batchNormTraining(const BatchNormInputs& /*inputs*/, double /*momentum*/, Tensor& x,
                                        Tensor& y) {
  planned(batchNormGraph(math(x.dtype), x.shape));
  keepNothing(y);
}

void ListeningEngine::pool2d(const Pool2dAttributes& attributes, Tensor& x, Tensor& y) {
  // Where cuDNN does not compute with the dtype, a kernel does.
  const bool cudnns = x.dtype != DType::BFloat16 || bfloat16_;
  if (const auto graph = poolGraph(math(x.dtype), attributes, x.shape); graph && cudnns) {
    planned(*graph);
  }
  keepNothing(y);
}

// What is computed without cuDNN.
void ListeningEngine::uploadFrom(const Reader& /*read*/, Tensor& y) { keepNothing(y); }
Arrival ListeningEngine::fetch(Tensor& x, void* data) {
  std::memset(data, 0, x.bytes());
  return {};
}
void ListeningEngine::zeros(Tensor& y) { keepNothing(y); }
void ListeningEngine::cast(Tensor& /*x*/, Tensor& y) { keepNothing(y); }
void ListeningEngine::reshape(Tensor& /*x*/, Tensor& y) { keepNothing(y); }
void ListeningEngine::copy(Tensor& /*x*/, Tensor& y) {
  if (!y.storage) {
    keepNothing(y);
  }
}
void ListeningEngine::alias(Tensor& /*x*/, Tensor& y) { keepNothing(y); }
void ListeningEngine::batchNorm(const BatchNormInputs& /*inputs*/, Activation /*activation*/, Tensor& /*x*/,
                                Tensor& y) {
  keepNothing(y);
}
void ListeningEngine::activate(Activation /*activation*/, Tensor& /*x*/, Tensor& y) { keepNothing(y); }
void ListeningEngine::add(Activation /*activation*/, Tensor& /*a*/, Tensor& /*b*/, Tensor& y) {
  keepNothing(y);
}
void ListeningEngine::softmax(Tensor& /*x*/, Tensor& y) { keepNothing(y); }
void ListeningEngine::normalizeImage(const ImageNormalization& /*normalization*/, Tensor& /*pixels*/,
                                     Tensor& y) {
  keepNothing(y);
}
Arrival ListeningEngine::topK(Tensor& x, int64_t k, TopK& best) {
  const auto count = static_cast<size_t>(x.shape[0] * k);
  best = {std::vector<int64_t>(count), std::vector<float>(count)};
  return {};
}

std::vector<GraphDescription> graphsOf(const Engine::Work& work, bool bfloat16) {
  class Listener : public ListeningEngine {
   public:
    using ListeningEngine::ListeningEngine;
    std::vector<GraphDescription> heard;

   protected:
    bool planned(const GraphDescription& graph) override {
      if (known_.insert(text(graph)).second) {
        heard.push_back(graph);
      }
      return true;
    }

   private:
    std::unordered_set<std::string> known_;
  } listener(bfloat16);
  work(listener);
  return std::move(listener.heard);
}

}  // namespace cudnn_resnet::cuda
