// A ResNet of bottlenecks as a bare loop over oneDNN's primitives: what oneDNN gives where nothing stands
// between. Batch norms are folded, activations and residual adds fused, layouts left to oneDNN, primitives
// and memory made beforehand. Answers the requests of bench/ as its other contenders do
// (bench/contenders/serve.mjs).
//
// usage: resnet-loop DIRECTORY direct|fast BLOCKS...
//   direct  layouts left to oneDNN
//   fast    what the engine takes for networks: products of halves where the processor has AMX, and NHWC;
//           elsewhere Winograd's transform, and layouts in blocks of 16 channels
//   BLOCKS  of each group: 3 4 6 3 for ResNet-50
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cpu/onednn.h"
#include "cpu/parallel.h"
#include "cpu/split.h"
#include "cpu/winograd.h"

namespace {

using namespace cudnn_resnet;
using namespace cudnn_resnet::cpu;
using dnnl::memory;
using Dims = memory::dims;
using Arguments = std::unordered_map<int, memory>;

constexpr int64_t side = 224;
constexpr int64_t classes = 1000;

void read(std::istream& file, void* data, size_t bytes) {
  if (!file.read(static_cast<char*>(data), static_cast<std::streamsize>(bytes))) {
    throw std::runtime_error("a file of the model is shorter than the network needs");
  }
}

Layout any(const Dims& dims, memory::data_type type = memory::data_type::f32) {
  return {dims, type, memory::format_tag::any};
}

Layout channelsLast(const Dims& dims, memory::data_type type) {
  return {dims, type, memory::format_tag::nhwc};
}

Layout inOrder(const Dims& dims) {
  constexpr std::array tags{memory::format_tag::a, memory::format_tag::ab, memory::format_tag::abc,
                            memory::format_tag::abcd};
  return {dims, memory::data_type::f32, tags[dims.size() - 1]};
}

enum class Way : uint8_t { Direct, Winograd, Halves };

class Network {
 public:
  Network(const std::string& directory, Way way, const std::vector<int>& blocks, int64_t batch)
      : way_(way), weights_(directory + "/folded.bin", std::ios::binary) {
    std::ifstream file(directory + "/images.bin", std::ios::binary);
    images_.resize(static_cast<size_t>(batch * 3 * side * side));
    read(file, images_.data(), images_.size() * sizeof images_[0]);
    build(blocks, batch);
    for (auto& slot : slots_) {
      slot.data.reset(static_cast<std::byte*>(std::aligned_alloc(64, (slot.bytes + 63) / 64 * 64)));
      for (auto& user : slot.users) {
        user.set_data_handle(slot.data.get());
      }
    }
    for (auto& [images, whole, offset] : parts_) {
      images.set_data_handle(static_cast<std::byte*>(whole.get_data_handle()) + offset);
    }
  }

  // From images on the host to logits on the host.
  const std::vector<float>& run() {
    for (const auto& step : steps_) {
      step();
    }
    return logits_;
  }

 private:
  struct Freed {
    void operator()(std::byte* data) const { std::free(data); }
  };
  // Memory that one activation after the other lives in.
  struct Slot {
    size_t bytes = 0;
    std::vector<memory> users;
    std::unique_ptr<std::byte, Freed> data;
  };
  // Some images of a batch.
  struct Part {
    memory images, whole;
    size_t offset;
  };
  // Two for inputs and results of blocks in turn, two for what is between, one for scratchpads, one for
  // reordered activations, and two for halves.
  enum SlotName : size_t { Even, Odd, First, Second, Scratch, Reordered, High, Low, SlotCount };

  void build(const std::vector<int>& blocks, int64_t batch) {
    memory x(inOrder({batch, 3, side, side}), engine_, images_.data());
    x = convolve(x, parameters({64, 3, 7, 7}), 2, true, First);
    x = pool(x, PoolKind::Max, 3, 2, 1, Even);
    SlotName next = Odd;
    int64_t width = 64;
    for (size_t group = 0; group < blocks.size(); ++group, width *= 2) {
      for (int block = 0; block < blocks[group]; ++block) {
        x = bottleneck(x, width, group > 0 && block == 0 ? 2 : 1, block == 0, next);
        next = block > 0 ? next : next == Even ? Odd : Even;
      }
    }
    x = pool(x, PoolKind::AverageExcludingPadding, dimensions(x.get_desc())[2], 1, 0, First);
    classify(x);
    if (weights_.peek() != std::ifstream::traits_type::eof()) {
      throw std::runtime_error("folded.bin is of another network");
    }
  }

  // Its last convolution adds to the shortcut in place. `next` is for the shortcut where that is a
  // convolution.
  memory bottleneck(const memory& x, int64_t width, int64_t stride, bool projects, SlotName next) {
    const int64_t in = dimensions(x.get_desc())[1];
    memory y = convolve(x, parameters({width, in, 1, 1}), 1, true, First);
    y = convolve(y, parameters({width, width, 3, 3}), stride, true, Second);
    const auto last = parameters({4 * width, width, 1, 1});
    const memory shortcut =
        projects ? convolve(x, parameters({4 * width, in, 1, 1}), stride, false, next) : x;
    return convolve(y, last, 1, true, next, &shortcut);
  }

  struct Parameters {
    memory weight, bias;
  };

  Parameters parameters(const Dims& shape) { return {stored(shape), stored({shape[0]})}; }

  // The next of the file.
  memory stored(const Dims& shape) {
    memory values(inOrder(shape), engine_);
    read(weights_, values.get_data_handle(), values.get_desc().get_size());
    return values;
  }

  memory convolve(const memory& x, const Parameters& parameters, int64_t stride, bool relu, SlotName slot,
                  const memory* shortcut = nullptr) {
    if (way_ == Way::Halves) {
      return convolveHalves(x, parameters, stride, relu, slot, shortcut);
    }
    const Geometry geometry(x, parameters, stride);
    const int64_t batch = geometry.x[0];
    const bool transforms =
        way_ == Way::Winograd && geometry.kernel[2] == 3 && stride == 1 &&
        winsWithWinograd(geometry.y[2], geometry.y[3], geometry.kernel[1], geometry.kernel[0]);
    const int64_t together =
        transforms ? imagesToTransform(batch, geometry.kernel[1], geometry.kernel[0]) : batch;
    const auto describeFor = [&](int64_t images) {
      return describe<dnnl::convolution_forward>(
          engine_, fused(shortcut != nullptr, relu), prop_kind::forward_inference,
          transforms ? algorithm::convolution_winograd : algorithm::convolution_direct,
          activation(ofImages(geometry.x, images)), any(geometry.kernel), parameters.bias.get_desc(),
          shortcut != nullptr ? shortcut->get_desc() : activation(ofImages(geometry.y, images)),
          geometry.stride, Dims{0, 0}, geometry.pad, geometry.pad);
    };
    const bool inParts = together < batch;
    const auto whole = describeFor(together);
    const memory from = arranged(x, inParts ? activation(geometry.x) : whole.src_desc());
    memory y =
        shortcut != nullptr ? *shortcut : inSlot(inParts ? activation(geometry.y) : whole.dst_desc(), slot);
    const memory weight = packed(parameters.weight, whole.weights_desc());
    for (int64_t first = 0; first < batch; first += together) {
      const int64_t images = std::min(together, batch - first);
      const auto chosen = images == together ? whole : describeFor(images);
      const bool sameWeights = chosen.weights_desc() == weight.get_desc();
      push(dnnl::convolution_forward(chosen), chosen.scratchpad_desc(),
           {{DNNL_ARG_SRC, part(from, chosen.src_desc(), first)},
            {DNNL_ARG_WEIGHTS, sameWeights ? weight : packed(parameters.weight, chosen.weights_desc())},
            {DNNL_ARG_BIAS, parameters.bias},
            {DNNL_ARG_DST, part(y, chosen.dst_desc(), first)}});
    }
    return y;
  }

  // native/cpu/split-conv2d.cc says what this computes.
  memory convolveHalves(const memory& given, const Parameters& parameters, int64_t stride, bool relu,
                        SlotName slot, const memory* shortcut) {
    constexpr auto f32 = memory::data_type::f32;
    constexpr auto bf16 = memory::data_type::bf16;
    const Geometry geometry(given, parameters, stride);
    const memory x = arranged(given, channelsLast(geometry.x, f32));
    memory y = shortcut != nullptr ? *shortcut : inSlot(channelsLast(geometry.y, f32), slot);
    const int64_t batch = geometry.x[0];
    const size_t xBytes = x.get_desc().get_size() / static_cast<size_t>(batch);
    const size_t yBytes = y.get_desc().get_size() / static_cast<size_t>(batch);
    const int64_t together = imagesTogether(batch, static_cast<int64_t>(2 * xBytes + yBytes));
    const auto [highWeight, lowWeight] = halves(parameters.weight);

    for (int64_t first = 0; first < batch; first += together) {
      const int64_t images = std::min(together, batch - first);
      const memory from = part(x, channelsLast(ofImages(geometry.x, images), f32), first);
      const memory to = part(y, channelsLast(ofImages(geometry.y, images), f32), first);
      const Layout layout = channelsLast(ofImages(geometry.x, images), bf16);
      const memory high = inSlot(layout, High);
      const memory low = inSlot(layout, Low);
      steps_.emplace_back([from, high, low, count = layout.get_size() / sizeof(uint16_t)] {
        parallel(count, [&](size_t begin, size_t length) {
          split(static_cast<const float*>(from.get_data_handle()) + begin,
                static_cast<uint16_t*>(high.get_data_handle()) + begin,
                static_cast<uint16_t*>(low.get_data_handle()) + begin, length);
        });
      });
      const auto multiply = [&](const memory& half, const memory& weight, const memory* bias, bool sum,
                                bool last) {
        const auto chosen = describe<dnnl::convolution_forward>(
            engine_, fused(sum, last && relu), prop_kind::forward_inference, algorithm::convolution_direct,
            layout, any(geometry.kernel, bf16), bias != nullptr ? bias->get_desc() : Layout(), to.get_desc(),
            geometry.stride, Dims{0, 0}, geometry.pad, geometry.pad);
        Arguments arguments{{DNNL_ARG_SRC, half},
                            {DNNL_ARG_WEIGHTS, packed(weight, chosen.weights_desc())},
                            {DNNL_ARG_DST, to}};
        if (bias != nullptr) {
          arguments.emplace(DNNL_ARG_BIAS, *bias);
        }
        push(dnnl::convolution_forward(chosen), chosen.scratchpad_desc(), std::move(arguments));
      };
      multiply(high, highWeight, &parameters.bias, shortcut != nullptr, false);
      multiply(low, highWeight, nullptr, true, false);
      multiply(high, lowWeight, nullptr, true, true);
    }
    return y;
  }

  [[nodiscard]] static Dims ofImages(Dims dims, int64_t images) {
    dims[0] = images;
    return dims;
  }

  struct Geometry {
    Geometry(const memory& from, const Parameters& parameters, int64_t step)
        : x(dimensions(from.get_desc())), kernel(dimensions(parameters.weight.get_desc())) {
      const int64_t before = kernel[2] / 2;
      const auto extent = [&](size_t i) { return (x[i] + 2 * before - kernel[i]) / step + 1; };
      y = {x[0], kernel[0], extent(2), extent(3)};
      stride = {step, step};
      pad = {before, before};
    }
    Dims x, kernel, y, stride, pad;
  };

  [[nodiscard]] static dnnl::primitive_attr fused(bool sum, bool relu) {
    dnnl::post_ops ops;
    if (sum) {
      ops.append_sum(1);
    }
    if (relu) {
      appendEltwise(ops, algorithm::eltwise_relu, 0, 0);
    }
    auto attributes = Network::attributes();
    attributes.set_post_ops(ops);
    return attributes;
  }

  // The images of a batch from `first` on.
  memory part(const memory& whole, const Layout& layout, int64_t first) {
    const Layout all = whole.get_desc();
    const auto image = all.get_size() / static_cast<size_t>(dimensions(all)[0]);
    parts_.push_back({memory(layout, engine_, nullptr), whole, static_cast<size_t>(first) * image});
    return parts_.back().images;
  }

  std::pair<memory, memory> halves(const memory& weight) {
    const Dims shape = dimensions(weight.get_desc());
    const Layout layout(shape, memory::data_type::bf16, memory::format_tag::abcd);
    memory high(layout, engine_);
    memory low(layout, engine_);
    split(static_cast<const float*>(weight.get_data_handle()), static_cast<uint16_t*>(high.get_data_handle()),
          static_cast<uint16_t*>(low.get_data_handle()), layout.get_size() / sizeof(uint16_t));
    return {high, low};
  }

  [[nodiscard]] Layout activation(const Dims& dims) const {
    if (way_ == Way::Direct) {
      return any(dims);
    }
    return {dims, memory::data_type::f32,
            dims[1] % 16 == 0 ? memory::format_tag::nChw16c : memory::format_tag::nchw};
  }

  memory pool(const memory& x, PoolKind kind, int64_t kernel, int64_t stride, int64_t pad, SlotName slot) {
    const Dims in = dimensions(x.get_desc());
    const auto extent = [&](size_t i) { return (in[i] + 2 * pad - kernel) / stride + 1; };
    const Pool2dAttributes shape{kind, {kernel, kernel}, {stride, stride}, {pad, pad}};
    const auto chosen = describePooling(
        engine_, attributes(),
        kind == PoolKind::Max ? algorithm::pooling_max : algorithm::pooling_avg_exclude_padding, x.get_desc(),
        any({in[0], in[1], extent(2), extent(3)}), shape, {pad, pad});
    memory y = inSlot(chosen.dst_desc(), slot);
    push(dnnl::pooling_forward(chosen), chosen.scratchpad_desc(), {{DNNL_ARG_SRC, x}, {DNNL_ARG_DST, y}});
    return y;
  }

  void classify(const memory& x) {
    const Dims in = dimensions(x.get_desc());
    const auto [weight, bias] = parameters({classes, in[1], 1, 1});
    logits_.resize(static_cast<size_t>(in[0] * classes));
    const auto chosen = describe<dnnl::inner_product_forward>(
        engine_, attributes(), prop_kind::forward_inference, any(in), any({classes, in[1], 1, 1}),
        bias.get_desc(), inOrder({in[0], classes}));
    push(dnnl::inner_product_forward(chosen), chosen.scratchpad_desc(),
         {{DNNL_ARG_SRC, arranged(x, chosen.src_desc())},
          {DNNL_ARG_WEIGHTS, packed(weight, chosen.weights_desc())},
          {DNNL_ARG_BIAS, bias},
          {DNNL_ARG_DST, memory(chosen.dst_desc(), engine_, logits_.data())}});
  }

  memory inSlot(const Layout& layout, SlotName slot) {
    memory values(layout, engine_, nullptr);
    slots_[slot].bytes = std::max(slots_[slot].bytes, layout.get_size());
    slots_[slot].users.push_back(values);
    return values;
  }

  // At every run, where the layouts differ.
  memory arranged(const memory& x, const Layout& layout) {
    if (x.get_desc() == layout) {
      return x;
    }
    memory y = inSlot(layout, Reordered);
    steps_.emplace_back([this, primitive = dnnl::reorder(x, y), from = x, to = y]() mutable {
      primitive.execute(stream_, from, to);
      stream_.wait();
    });
    return y;
  }

  // Once.
  memory packed(memory weight, const Layout& layout) {
    memory values(layout, engine_);
    dnnl::reorder(weight, values).execute(stream_, weight, values);
    stream_.wait();
    return values;
  }

  [[nodiscard]] static dnnl::primitive_attr attributes() {
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    return attributes;
  }

  void push(dnnl::primitive primitive, const Layout& scratchpad, Arguments arguments) {
    arguments.emplace(DNNL_ARG_SCRATCHPAD, inSlot(scratchpad, Scratch));
    steps_.emplace_back([this, primitive = std::move(primitive), arguments = std::move(arguments)] {
      primitive.execute(stream_, arguments);
      stream_.wait();
    });
  }

  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  Way way_;
  std::ifstream weights_;
  std::vector<float> images_, logits_;
  std::array<Slot, SlotCount> slots_;
  std::vector<Part> parts_;
  std::vector<std::function<void()>> steps_;
};

double milliseconds(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

std::string timed(Network& network, int count) {
  std::ostringstream answer;
  answer << R"({"times":[)";
  for (int i = 0; i < count; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    network.run();
    answer << (i > 0 ? "," : "") << milliseconds(std::chrono::steady_clock::now() - begin);
  }
  answer << "]}";
  return answer.str();
}

void serve(const std::string& directory, Way way, const std::vector<int>& blocks) {
  const auto* version = dnnl_version();
  std::cout << R"({"version":"oneDNN )" << version->major << '.' << version->minor << '.' << version->patch
            << "\"}" << std::endl;
  std::unique_ptr<Network> network;
  std::string command;
  while (std::cin >> command) {
    if (command == "batch") {
      int64_t batch = 0;
      std::cin >> batch;
      network.reset();
      network = std::make_unique<Network>(directory, way, blocks, batch);
      std::cout << "{}" << std::endl;
    } else if (command == "run") {
      int count = 0;
      std::cin >> count;
      std::cout << timed(*network, count) << std::endl;
    } else if (command == "logits") {
      std::string path;
      std::cin >> path;
      const auto& logits = network->run();
      std::ofstream(path, std::ios::binary)
          .write(reinterpret_cast<const char*>(logits.data()),
                 static_cast<std::streamsize>(logits.size() * sizeof logits[0]));
      std::cout << "{}" << std::endl;
    } else {
      throw std::runtime_error("resnet-loop does not know the request " + command);
    }
  }
}

}  // namespace

int main(int count, char** words) {
  try {
    if (count < 4) {
      throw std::runtime_error("usage: resnet-loop DIRECTORY direct|fast BLOCKS...");
    }
    std::vector<int> blocks;
    std::transform(words + 3, words + count, std::back_inserter(blocks),
                   [](const char* n) { return std::stoi(n); });
    const Way fast = multipliesInTiles() ? Way::Halves : Way::Winograd;
    serve(words[1], std::string(words[2]) == "fast" ? fast : Way::Direct, blocks);
  } catch (const std::exception& error) {
    std::cerr << "resnet-loop: " << error.what() << '\n';
    return 1;
  }
}
