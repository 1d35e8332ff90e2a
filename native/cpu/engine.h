// The engine on oneDNN. The primitives stand in files named after them; engine.cc holds what they share.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/backend.h"
#include "core/engine.h"
#include "core/host-memory.h"
#include "cpu/key.h"
#include "cpu/layout.h"
#include "cpu/storage.h"

namespace cudnn_resnet::cpu {

// A primitive that is ready to run, and the layouts that it chose.
struct Compiled {
  dnnl::primitive primitive;
  Layout x, weight, y, scratchpad;
  bool byGemm = false;  // of a convolution or a linear layer: oneDNN's gemm or reference code
};

// What was chosen for a convolution or a linear layer.
template <typename Primitive>
[[nodiscard]] Compiled compiledOf(const typename Primitive::primitive_desc& chosen) {
  const std::string_view implementation = chosen.impl_info_str();
  return {Primitive(chosen),
          chosen.src_desc(),
          chosen.weights_desc(),
          chosen.dst_desc(),
          chosen.scratchpad_desc(),
          implementation.find("gemm:") != std::string_view::npos || implementation.starts_with("ref")};
}

// Whether what follows oneDNN's gemm computes the activation of -∞ and NaN as the rest of oneDNN does: its
// ReLU of -∞ is NaN, and its sigmoid of NaN 0.
[[nodiscard]] constexpr bool isSoundAfterGemm(Activation activation) {
  return activation != Activation::Relu && activation != Activation::Sigmoid;
}

class CpuEngine : public Engine {
 public:
  explicit CpuEngine(EngineMemory& memory, std::unique_ptr<RawMemory> raw = std::make_unique<HostMemory>());

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
  void setThreads(int threads) override;
  void synchronize() override {}

 private:
  using Arguments = std::unordered_map<int, dnnl::memory>;
  // What capture() collects: the work, and what of weights it reads that is kept beside them and may be
  // dropped there.
  struct Captured {
    std::vector<std::function<void()>> steps;
    std::vector<std::shared_ptr<const Buffer>> weights;
  };
  class CapturedReplay;

  // All work on values goes through here: it is done now, or becomes a step of what is being captured.
  void perform(std::function<void()> step);

  // The type that values of `dtype` are computed in: its own where this processor and oneDNN can, else
  // float32.
  [[nodiscard]] DType computeType(DType dtype) const noexcept;

  // With memory for its values, made where they were but scaled.
  [[nodiscard]] CpuStorage& storageOf(const Tensor& x);
  // What a storage would be that has the values of one that is but scaled.
  [[nodiscard]] std::unique_ptr<CpuStorage> scaled(const Tensor& x);
  // The weight, or its values in `holder` where it is but scaled.
  [[nodiscard]] Tensor& inOnePiece(Tensor& weight, std::optional<Tensor>& holder);

  [[nodiscard]] Buffer allocate(const Layout& layout);
  [[nodiscard]] dnnl::memory view(const Layout& layout, void* data) const;
  [[nodiscard]] dnnl::memory view(const Buffer& buffer) const {
    return view(buffer.layout, buffer.block.get());
  }

  // The layout in which x is kept, in its compute type: what an element-wise primitive works in.
  [[nodiscard]] Layout currentLayout(const Tensor& x);

  // x in `layout`: its own memory where that is its layout already, else reordered into `holder`.
  [[nodiscard]] dnnl::memory in(const Layout& layout, Tensor& x, Buffer& holder);
  // As `in`, for weights: what was reordered is kept with the tensor, unless that is of each run.
  [[nodiscard]] dnnl::memory packed(const Layout& layout, Tensor& weight, Buffer& holder);
  // Has the weight kept in `layout`: in place of the layout it was in, or, where that would lose something or
  // cannot be read back, beside it, as what is returned.
  [[nodiscard]] std::shared_ptr<const Buffer> pack(const Layout& layout, Tensor& weight);
  // As `in`, of any layout to any.
  [[nodiscard]] dnnl::memory arranged(const Layout& layout, Tensor& weight, Buffer& holder);

  // A bias in float32; an empty memory where there is none.
  [[nodiscard]] dnnl::memory inFloat32(Tensor* bias, Buffer& holder);

  // A tensor of one dimension in float32, which every layout keeps in C order.
  [[nodiscard]] dnnl::memory view(const Tensor& parameter);

  // With `global` the statistics are read, else they are computed and written.
  void runBatchNorm(const BatchNormInputs& inputs, bool global, const dnnl::memory& mean,
                    const dnnl::memory& variance, Activation activation, Tensor& x, Tensor& y);
  [[nodiscard]] bool usesWinograd(const Conv2dAttributes& a, const Tensor& weight, const Tensor& y) const;
  // For so many images of x.
  [[nodiscard]] Compiled compileConv2d(const Conv2dAttributes& a, int64_t images, const Tensor& x,
                                       const Tensor& weight, bool bias, bool add, const Tensor& y) const;
  // Of these layouts, with a weight of x's type in any; dnnl::error where oneDNN does not have it by `kind`.
  [[nodiscard]] Compiled compileConv2d(const Conv2dAttributes& a, algorithm kind, const Layout& x,
                                       const Shape& weight, bool bias, bool add, const Layout& y) const;
  // A linear layer as the convolution of images of one pixel; the result is in C order.
  [[nodiscard]] Compiled compileOfPixels(Activation activation, DType type, const Shape& x,
                                         const Shape& weight, bool bias, const Shape& y) const;
  // Convolves so many images, which lie behind each other.
  using ConvolveImages = std::function<void(void* from, void* to, int64_t images)>;
  // y = what `convolve` makes of x in these layouts, `together` images at a time; what is to be added to
  // stands in `to`.
  void convolveInParts(int64_t together, const Layout& xLayout, Tensor& x, const Layout& yLayout, Tensor* add,
                       Tensor& y, const ConvolveImages& convolve);
  // Convolutions by products of halves: split-conv2d.cc.
  [[nodiscard]] bool convolvesSplit(const Conv2dAttributes& a, const Tensor& weight) const;
  void convolveSplit(const Conv2dAttributes& a, Tensor& x, Tensor& weight, Tensor* bias, Tensor* add,
                     Tensor& y);
  // The halves that are kept with a weight, made where they are missing.
  [[nodiscard]] Halves& halvesOf(Tensor& weight);
  [[nodiscard]] std::unique_ptr<Halves> splitWeight(Tensor& weight);
  // In C order, with values still to come.
  [[nodiscard]] std::unique_ptr<Halves> allocateHalves(const Shape& shape);

  [[nodiscard]] Buffer addend(const Layout& layout, Tensor& residual);

  void reorder(const dnnl::memory& from, const dnnl::memory& to);
  // Makes `result` the value of y, rounded to y's dtype where it was computed in another.
  void store(Buffer result, Tensor& y);

  // The primitive kept under `key`, or what `compile` makes.
  const Compiled& compiled(const std::string& key, const std::function<Compiled()>& compile);
  void execute(const Compiled& compiled, Arguments arguments);
  // Executes a convolution, or a linear layer, of what lies at `from` in the primitive's layout.
  void multiply(const Compiled& compiled, void* from, Tensor& weight, const dnnl::memory& bias, void* to);

  // Writes x to `to` in C order, in x's dtype.
  void writeOrdered(const Tensor& x, void* to);

  // `from` and `to` have one layout and may be the same memory.
  void runEltwise(Activation activation, const dnnl::memory& from, const dnnl::memory& to);
  // Whether the activation is left to rectifyHalves.
  [[nodiscard]] static bool rectifiesHalves(Activation activation, DType dtype) noexcept;
  // ReLU or ReLU6 of float16 in place, which hands NaN on, as oneDNN's do not: beyond 65504 a network's
  // values are infinite, those of the next convolution NaN, and its results are not to pass for numbers.
  void rectifyHalves(Activation activation, Tensor& y);
  [[nodiscard]] dnnl::primitive_attr attributes() const;
  // With what is done to a result before it is written: it is added to what stands there, and activated.
  [[nodiscard]] dnnl::primitive_attr fused(bool sum, Activation activation) const;

  dnnl::engine engine_;
  dnnl::stream stream_;
  std::shared_ptr<CachingAllocator> allocator_;
  std::unordered_map<std::string, Compiled> compiled_;
  // What was dropped last: the operation under way may hold a reference to one of these.
  std::unordered_map<std::string, Compiled> formerlyCompiled_;
  bool hasAvx512_;  // on which oneDNN computes bfloat16, and float32 in blocks of 16 channels
  bool multipliesInTiles_;
  bool hasWinograd_;              // in float32, on layouts of 16 channels
  Captured* captured_ = nullptr;  // while capture() runs
};

// Of a block that holds a tensor's elements in C order.
[[nodiscard]] std::unique_ptr<CpuStorage> plainStorage(Block block, const Tensor& tensor);

}  // namespace cudnn_resnet::cpu
