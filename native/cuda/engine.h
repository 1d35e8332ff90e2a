// The engine on cuDNN. The primitives stand in files named after them; engine.cc holds what they share.
//
// What is computed is put into one stream, and values come and go in streams of their own. What is fetched
// arrives on another thread. The queue's thread waits for what is computed in download and synchronize, where
// more is fetched than is worth a copy, where plans are timed, and where plans, graphs or memory are given
// back. An upload waits while both of its buffers are still to be copied from; those copies in turn wait for
// what is computed only where no memory to land in is free.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "core/backend.h"
#include "core/engine.h"
#include "cuda/plan-cache.h"
#include "cuda/staging.h"
#include "cuda/storage.h"
#include "cuda/stream.h"
#include "cuda/uploads.h"

namespace cudnn_resnet::cuda {

struct EngineOptions {
  // The GPU has arithmetic for bfloat16 (Ampere and later); else cuDNN's part of such work is done in
  // float32.
  bool bfloat16 = true;
};

class CudaEngine : public Engine {
 public:
  CudaEngine(int device, const std::string& planIdentity, EngineOptions options, EngineMemory& memory);
  ~CudaEngine() override;

  void uploadFrom(const Reader& read, Tensor& y) override;
  [[nodiscard]] Arrival fetch(Tensor& x, void* data) override;
  void zeros(Tensor& y) override;
  void cast(Tensor& x, Tensor& y) override;
  void reshape(Tensor& x, Tensor& y) override;
  void copy(Tensor& x, Tensor& y) override;
  void alias(Tensor& x, Tensor& y) override;
  void scaleSlices(const std::vector<double>& factors, Tensor& x, Tensor& y) override;
  std::unique_ptr<Replay> capture(const Work& work) override;
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
  void usePlans(const std::string& folder) override;
  void synchronize() override;
  void trim() noexcept override;

  [[nodiscard]] cudaStream_t stream() const noexcept { return stream_->get(); }

 private:
  // Whether cuDNN computes with tensors of this dtype here. Where it does not, a primitive casts its inputs
  // to float32, calls itself, and casts the result.
  [[nodiscard]] bool computes(DType dtype) const noexcept {
    return dtype != DType::BFloat16 || options_.bfloat16;
  }
  // x in float32; none for none.
  [[nodiscard]] std::unique_ptr<Tensor> widened(Tensor* x);

  [[nodiscard]] Block allocate(int64_t elements, DType dtype);
  // Gives y a storage in `layout` and returns where its values are to be written.
  void* create(Tensor& y, Layout layout);

  // The values of x in `layout`, which becomes the layout that x is kept in.
  [[nodiscard]] void* in(Layout layout, Tensor& x);
  // The values of a bias in a dtype.
  [[nodiscard]] const void* biasIn(DType dtype, Tensor& bias);
  // Writes x to `to` in `layout`, whatever the layout it is kept in.
  void write(const Tensor& x, Layout layout, void* to);

  // `finish` in its time: what it downloads has been computed.
  [[nodiscard]] Arrival arrival(std::function<void(Staging&)> finish);

  // Runs the convolution, fused where cuDNN has a plan for that, else followed by a kernel.
  struct ConvPointers {
    const void* x;
    const void* weight;
    Tensor* bias;
    const void* add;
    void* y;
  };
  void runConv(const ConvGraph& graph, DType dtype, const ConvPointers& pointers);
  [[nodiscard]] Block workspaceFor(const Plan& plan);
  void execute(const Plan& plan, std::span<const Binding> bindings);
  // The milliseconds that the plan takes; none where it fails. Waits for the stream.
  [[nodiscard]] std::optional<float> time(const Plan& plan, std::span<const Binding> bindings);

  struct HandleEnd {
    void operator()(cudnnHandle_t handle) const noexcept;
  };

  int device_;
  EngineOptions options_;
  std::shared_ptr<const Stream> stream_ = std::make_shared<const Stream>();
  std::shared_ptr<CachingAllocator> allocator_;
  std::unique_ptr<std::remove_pointer_t<cudnnHandle_t>, HandleEnd> handle_;
  std::unique_ptr<Uploads> uploads_;
  std::mutex downloading_;  // arrivals are on another thread than download()
  std::unique_ptr<Staging> downloads_;
  std::unique_ptr<PlanCache> plans_;
  std::vector<Plan>* captured_ = nullptr;  // while work is captured: the plans whose code it launches
};

}  // namespace cudnn_resnet::cuda
