// An engine that computes nothing: it listens for the graphs that CudaEngine would ask cuDNN for.
#pragma once

#include <memory>
#include <vector>

#include "core/engine.h"
#include "cuda/graph-description.h"

namespace cudnn_resnet::cuda {

class ListeningEngine : public Engine {
 public:
  // `bfloat16`: the GPU has arithmetic for it.
  explicit ListeningEngine(bool bfloat16) : bfloat16_(bfloat16) {}

  void uploadFrom(const Reader& read, Tensor& y) override;
  [[nodiscard]] Arrival fetch(Tensor& x, void* data) override;
  void zeros(Tensor& y) override;
  void cast(Tensor& x, Tensor& y) override;
  void reshape(Tensor& x, Tensor& y) override;
  void copy(Tensor& x, Tensor& y) override;
  void alias(Tensor& x, Tensor& y) override;
  std::unique_ptr<Replay> capture(const Work& /*work*/) override { return nullptr; }
  void conv2d(const Conv2dAttributes& attributes, Tensor& x, Tensor& weight, Tensor* bias, Tensor* add,
              Tensor& y) override;
  void linear(const LinearAttributes& attributes, Tensor& x, Tensor& weight, Tensor* bias,
              Tensor& y) override;
  void batchNorm(const BatchNormInputs& inputs, Activation activation, Tensor& x, Tensor& y) override;
  void batchNormTraining(const BatchNormInputs& inputs, double momentum, Tensor& x, Tensor& y) override;
  void activate(Activation activation, Tensor& x, Tensor& y) override;
  void add(Activation activation, Tensor& a, Tensor& b, Tensor& y) override;
  void pool2d(const Pool2dAttributes& attributes, Tensor& x, Tensor& y) override;
  void softmax(Tensor& x, Tensor& y) override;
  void normalizeImage(const ImageNormalization& normalization, Tensor& pixels, Tensor& y) override;
  [[nodiscard]] Arrival topK(Tensor& x, int64_t k, TopK& best) override;
  void synchronize() override {}

 protected:
  // Hears of a graph, each time that it is asked for. Whether cuDNN has a plan for it: where it has none for
  // a convolution with what follows it, the convolution alone is asked for.
  virtual bool planned(const GraphDescription& graph) = 0;

  [[nodiscard]] bool bfloat16() const noexcept { return bfloat16_; }

 private:
  [[nodiscard]] Math math(DType dtype, const ComputeOptions& compute = {}) const;
  void askForConvolution(const ConvGraph& graph);

  bool bfloat16_;
};

// Those that `work` asks for where cuDNN refuses none, each once.
[[nodiscard]] std::vector<GraphDescription> graphsOf(const Engine::Work& work, bool bfloat16);

}  // namespace cudnn_resnet::cuda
