// An engine for a GPU that need not be there: it computes nothing and compiles the plans that CudaEngine
// would ask for.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "core/backend.h"
#include "core/engine.h"
#include "cuda/compile.h"
#include "cuda/plan-files.h"

namespace cudnn_resnet::cuda {

class PlanningEngine : public Engine {
 public:
  explicit PlanningEngine(const PlanningOptions& options);

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
  void batchNormTraining(const BatchNormInputs& inputs, double momentum, Tensor* batches, Tensor& x,
                         Tensor& y) override;
  void activate(Activation activation, Tensor& x, Tensor& y) override;
  void add(Activation activation, Tensor& a, Tensor& b, Tensor& y) override;
  void pool2d(const Pool2dAttributes& attributes, Tensor& x, Tensor& y) override;
  void softmax(Tensor& x, Tensor& y) override;
  void normalizeImage(const ImageNormalization& normalization, Tensor& pixels, Tensor& y) override;
  [[nodiscard]] Arrival topK(Tensor& x, int64_t k, TopK& best) override;
  void synchronize() override {}

 private:
  struct Finding {
    PlannedGraph graph;
    std::optional<std::string> plan;  // for a file
  };
  [[nodiscard]] Finding find(const GraphDescription& graph) const;

  [[nodiscard]] Math math(DType dtype, const ComputeOptions& compute = {}) const;
  // Whether cuDNN has a plan. One that it refuses is reported, and planning goes on.
  bool planned(const GraphDescription& graph);
  void planConvolution(const ConvGraph& graph);

  PlanningOptions options_;
  Target target_;
  std::optional<PlanFiles> files_;
  std::unordered_map<std::string, bool> planned_;  // by graph, and whether cuDNN had a plan
};

}  // namespace cudnn_resnet::cuda
