// What a device can compute. One engine serves one device of one Node environment, and only the thread of
// that device's queue calls it, so that an engine needs no locks, but for what arrives on another thread.
//
// Shapes and dtypes have been checked before (core/shape-inference.h), and an input has a storage and no
// error. An engine gives each output a new storage. It may change the layout in which it keeps an input,
// which is why inputs are not const; it never changes an input's values, unless the comment of the primitive
// says so.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/attributes.h"
#include "core/cancellation.h"
#include "core/tensor.h"

namespace cudnn_resnet {

struct BatchNormInputs {
  Tensor& mean;
  Tensor& variance;
  Tensor* weight;  // 1 where absent
  Tensor* bias;    // 0 where absent
  double epsilon;
};

struct TopK {
  std::vector<int64_t> indices;  // rows × k, best first
  std::vector<float> values;
};

// Work that was captured, to be run again and again with all its results in the same places.
class Replay {
 public:
  Replay() = default;
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;
  virtual ~Replay() = default;
  // Stops between steps, where it runs them one by one, once it is cancelled.
  virtual void run(const Cancellation& cancellation) = 0;
};

// What is left of a reading where an engine computes behind its caller's back: waits for the values and
// writes them to the host's memory. Called once, on any thread while the engine lives; freed by the queue's.
// Empty where nothing is left.
using Arrival = std::function<void()>;

class Engine {
 public:
  Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  virtual ~Engine() = default;

  // Data. `data` holds the tensor's elements in C order and in the tensor's dtype.
  void upload(const void* data, Tensor& y);
  // As upload, of what `read(to, offset, bytes)` writes: part by part, on any threads.
  using Reader = std::function<void(void* to, size_t offset, size_t bytes)>;
  virtual void uploadFrom(const Reader& read, Tensor& y) = 0;
  // On arrival `data` has the values that x has now, whatever is asked for meanwhile.
  [[nodiscard]] virtual Arrival fetch(Tensor& x, void* data) = 0;
  void download(Tensor& x, void* data);  // waits
  virtual void zeros(Tensor& y) = 0;
  virtual void cast(Tensor& x, Tensor& y) = 0;  // y has x's shape and another dtype
  // y has x's dtype and another shape, or the same: a copy. It may be x itself.
  virtual void reshape(Tensor& x, Tensor& y) = 0;
  // y, of x's shape and dtype, is given x's values: in its own storage and layout where it has one, else in a
  // new storage with x's layout.
  virtual void copy(Tensor& x, Tensor& y) = 0;
  // y, of x's shape and dtype, is given a storage that shows x's memory, which must outlive it.
  virtual void alias(Tensor& x, Tensor& y) = 0;

  // y, of x's shape and dtype, is x with each slice along its first dimension times its factor. Computed on
  // the host where an engine knows no better.
  virtual void scaleSlices(const std::vector<double>& factors, Tensor& x, Tensor& y);

  // Captures what `work` asks of this engine; nothing of it need be computed. `work` may be called more than
  // once, and must ask for the same each time. What it allocates is held by the result. nullptr where this
  // engine never does; throws Error(Backend) where it cannot, or not yet.
  using Work = std::function<void()>;
  virtual std::unique_ptr<Replay> capture(const Work& work) = 0;

  // y = activation(convolution(x, weight) + bias + add)
  virtual void conv2d(const Conv2dAttributes& attributes, Tensor& x, Tensor& weight, Tensor* bias,
                      Tensor* add, Tensor& y) = 0;
  // y = activation(x · weightᵀ + bias), weight [out, in]
  virtual void linear(const LinearAttributes& attributes, Tensor& x, Tensor& weight, Tensor* bias,
                      Tensor& y) = 0;
  virtual void batchNorm(const BatchNormInputs& inputs, Activation activation, Tensor& x, Tensor& y) = 0;
  // Normalises by the statistics of the batch and moves the running ones (`inputs.mean`, `inputs.variance`)
  // towards them in place: running += momentum · (batch - running), the variance unbiased. `batches`, one
  // int64 where it is given, counts one more. Where it fails, none of the three has changed.
  virtual void batchNormTraining(const BatchNormInputs& inputs, double momentum, Tensor* batches, Tensor& x,
                                 Tensor& y) = 0;
  virtual void activate(Activation activation, Tensor& x, Tensor& y) = 0;
  virtual void add(Activation activation, Tensor& a, Tensor& b, Tensor& y) = 0;
  virtual void pool2d(const Pool2dAttributes& attributes, Tensor& x, Tensor& y) = 0;
  virtual void softmax(Tensor& x, Tensor& y) = 0;  // over dimension 1
  // uint8 [N, H, W, 3] to [N, 3, H, W]: (pixel / 255 - mean) / deviation
  virtual void normalizeImage(const ImageNormalization& normalization, Tensor& pixels, Tensor& y) = 0;
  // Per row of [N, C]; equal values by lower index, NaN greatest. `best` is written on arrival.
  [[nodiscard]] virtual Arrival topK(Tensor& x, int64_t k, TopK& best) = 0;

  // From now on looks for what it would have to compile in a folder that holds it compiled, where this engine
  // compiles anything.
  virtual void usePlans(const std::string& /*folder*/) {}

  // How many of the processor's threads compute.
  virtual void setThreads(int /*threads*/) {}

  // Waits until all that was asked for has been computed.
  virtual void synchronize() = 0;

  // Gives back the memory that it keeps only to be faster.
  virtual void trim() noexcept {}
};

}  // namespace cudnn_resnet
