// Plans and compiles convolutions, pooling and batch norm for GPUs that need not be there, with the engine's
// own graphs, and fails naming each that cuDNN refuses. Where no driver is installed, a stub stands in for
// it.
//
//   cuda-planning [--gpu NAME|FILE.json]... [--math f32,tf32,f16,bf16] [--batch N,...] [--depth N,...]
//                 [--layers FILE] [--training] [--shard I/N] [--output DIR] [--verbose]
//
// Without --gpu: a100 and h200. --layers takes the place of the ResNets: a line per convolution, such as
//   64x56x56 128x3x3 s2 p1 d1 g1 bias add relu     (input C×H×W, weight K×R×S; what is absent is s1 p0 d1 g1)
//
// --output keeps the plans: with CUDNN_RESNET_CACHE set to DIR, a process on that GPU starts with them.
#include <dlfcn.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/error.h"
#include "cuda/compile.h"
#include "cuda/cudnn-library.h"
#include "cuda/device-presets.h"
#include "cuda/plan-files.h"

using namespace cudnn_resnet;
using namespace cudnn_resnet::cuda;

namespace {

struct Arguments {
  std::vector<std::string> gpus;
  std::vector<Math> maths{Math::Float32, Math::TF32, Math::Float16, Math::BFloat16};
  std::vector<int64_t> batches{1, 32};
  std::vector<int> depths{18, 34, 50, 101, 152};
  std::string layers;
  std::string output;
  bool training = false;
  bool verbose = false;
  size_t shard = 0;
  size_t shards = 1;
};

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, separator);) {
    parts.push_back(part);
  }
  return parts;
}

template <typename T>
std::vector<T> numbers(const std::string& text, char separator = ',') {
  std::vector<T> values;
  for (const std::string& part : split(text, separator)) {
    values.push_back(static_cast<T>(std::stoll(part)));
  }
  return values;
}

Arguments parse(int count, char** values) {
  const std::map<std::string, Math> maths{
      {"f32", Math::Float32}, {"tf32", Math::TF32}, {"f16", Math::Float16}, {"bf16", Math::BFloat16}};
  Arguments arguments;
  for (int i = 1; i < count; ++i) {
    const std::string name = values[i];
    const auto value = [&]() -> std::string {
      if (i + 1 == count) {
        throw std::runtime_error(name + " wants a value");
      }
      return values[++i];
    };
    if (name == "--gpu") {
      arguments.gpus.push_back(value());
    } else if (name == "--math") {
      arguments.maths.clear();
      for (const std::string& math : split(value(), ',')) {
        arguments.maths.push_back(maths.at(math));
      }
    } else if (name == "--batch") {
      arguments.batches = numbers<int64_t>(value());
    } else if (name == "--depth") {
      arguments.depths = numbers<int>(value());
    } else if (name == "--layers") {
      arguments.layers = value();
    } else if (name == "--output") {
      arguments.output = value();
    } else if (name == "--shard") {
      const auto parts = numbers<size_t>(value(), '/');
      arguments.shard = parts.at(0);
      arguments.shards = parts.at(1);
    } else if (name == "--training") {
      arguments.training = true;
    } else if (name == "--verbose") {
      arguments.verbose = true;
    } else {
      throw std::runtime_error("unknown option " + name);
    }
  }
  if (arguments.gpus.empty()) {
    arguments.gpus = {"a100", "h200"};
  }
  return arguments;
}

// What is planned, whatever the batch and the arithmetic.
struct Layer {
  Shape x;  // batch of 1
  Shape weight;
  Conv2dAttributes attributes;
  bool bias = true;
  bool add = false;
};

Layer convolution(int64_t in, int64_t size, int64_t out, int64_t kernel, int64_t stride,
                  Activation activation, bool add = false) {
  Layer layer{{1, in, size, size}, {out, in, kernel, kernel}, {}, true, add};
  layer.attributes.stride = {stride, stride};
  layer.attributes.padding = {kernel / 2, kernel / 2};
  layer.attributes.activation = activation;
  return layer;
}

// The convolutions of a ResNet in inference, batch norms folded into them.
void addNetwork(int depth, std::vector<Layer>& layers) {
  const std::map<int, std::vector<int64_t>> blocks{
      {18, {2, 2, 2, 2}}, {34, {3, 4, 6, 3}}, {50, {3, 4, 6, 3}}, {101, {3, 4, 23, 3}}, {152, {3, 8, 36, 3}}};
  const bool bottleneck = depth >= 50;
  const auto relu = Activation::Relu;
  layers.push_back(convolution(3, 224, 64, 7, 2, relu));
  int64_t in = 64;
  int64_t size = 56;
  for (size_t stage = 0; stage < 4; ++stage) {
    const int64_t width = int64_t{64} << stage;
    const int64_t out = bottleneck ? 4 * width : width;
    for (int64_t block = 0; block < blocks.at(depth)[stage]; ++block) {
      const int64_t stride = block == 0 && stage > 0 ? 2 : 1;
      if (in != out || stride != 1) {
        layers.push_back(convolution(in, size, out, 1, stride, Activation::None));
      }
      if (bottleneck) {
        layers.push_back(convolution(in, size, width, 1, 1, relu));
        layers.push_back(convolution(width, size, width, 3, stride, relu));
        layers.push_back(convolution(width, size / stride, out, 1, 1, relu, true));
      } else {
        layers.push_back(convolution(in, size, width, 3, stride, relu));
        layers.push_back(convolution(width, size / stride, out, 3, 1, relu, true));
      }
      in = out;
      size /= stride;
    }
  }
  layers.push_back(convolution(in, 1, 1000, 1, 1, Activation::None));
}

Layer parseLayer(const std::string& line) {
  Layer layer;
  layer.bias = false;
  std::istringstream in(line);
  std::string x;
  std::string weight;
  in >> x >> weight;
  const auto c = numbers<int64_t>(x, 'x');
  const auto k = numbers<int64_t>(weight, 'x');
  for (std::string word; in >> word;) {
    if (word == "bias") {
      layer.bias = true;
    } else if (word == "add") {
      layer.add = true;
    } else if (const auto activation = activationNamed(word)) {
      layer.attributes.activation = *activation;
    } else {
      const int64_t value = std::stoll(word.substr(1));
      switch (word[0]) {
        case 's':
          layer.attributes.stride = {value, value};
          break;
        case 'p':
          layer.attributes.padding = {value, value};
          break;
        case 'd':
          layer.attributes.dilation = {value, value};
          break;
        case 'g':
          layer.attributes.groups = value;
          break;
        default:
          throw std::runtime_error("what is '" + word + "' in: " + line);
      }
    }
  }
  layer.x = {1, c.at(0), c.at(1), c.at(2)};
  layer.weight = {k.at(0), c.at(0) / layer.attributes.groups, k.at(1), k.at(2)};
  return layer;
}

std::vector<Layer> layersOf(const Arguments& arguments) {
  std::vector<Layer> layers;
  if (arguments.layers.empty()) {
    for (const int depth : arguments.depths) {
      addNetwork(depth, layers);
    }
    return layers;
  }
  std::ifstream in(arguments.layers);
  if (!in) {
    throw std::runtime_error("cannot read " + arguments.layers);
  }
  for (std::string line; std::getline(in, line);) {
    if (!line.empty() && line[0] != '#') {
      layers.push_back(parseLayer(line));
    }
  }
  return layers;
}

// Every distinct graph, in the order of the network.
std::vector<GraphDescription> graphsOf(const Arguments& arguments) {
  std::vector<GraphDescription> graphs;
  std::set<std::string> seen;
  const auto add = [&](GraphDescription graph) {
    if (seen.insert(text(graph)).second) {
      graphs.push_back(std::move(graph));
    }
  };
  for (const Math math : arguments.maths) {
    for (const int64_t batch : arguments.batches) {
      for (const Layer& layer : layersOf(arguments)) {
        Shape x = layer.x;
        x[0] = batch;
        const ConvGraph conv = convGraph(math, layer.attributes, x, layer.weight, layer.bias, layer.add);
        add(conv);
        if (arguments.training) {
          Conv2dAttributes alone = layer.attributes;
          alone.activation = Activation::None;
          add(convGraph(math, alone, x, layer.weight, false, false));
          add(BatchNormGraph{math, outputShape(conv)});
        }
      }
      if (arguments.layers.empty()) {
        add(PoolGraph{math, {batch, 64, 112, 112}, {PoolKind::Max, {3, 3}, {2, 2}, {1, 1}}});
      }
    }
  }
  return graphs;
}

std::string propertiesOf(const std::string& gpu) {
  if (const auto preset = devicePreset(gpu)) {
    return *preset;
  }
  std::ifstream in(gpu);
  if (!in) {
    std::string known;
    for (const auto name : devicePresetNames()) {
      known.append(" ").append(name);
    }
    throw std::runtime_error("--gpu " + gpu + " is neither a file nor one of" + known);
  }
  return {std::istreambuf_iterator<char>(in), {}};
}

// The number that the JSON of a device's properties has under `key`.
int numberIn(const std::string& json, const std::string& key) {
  std::smatch match;
  if (!std::regex_search(json, match, std::regex("\"" + key + "\"\\s*:\\s*(\\d+)"))) {
    throw std::runtime_error("the properties of the GPU lack " + key);
  }
  return std::stoi(match[1]);
}

std::optional<PlanFiles> filesFor(const Arguments& arguments, const std::string& properties) {
  if (arguments.output.empty()) {
    return std::nullopt;
  }
  const CudnnLibrary& library = requireCudnn();
  const auto identity =
      planIdentity(library.versionText, library.cudaVersion, numberIn(properties, "deviceVer") / 10,
                   numberIn(properties, "multiProcessorCount"));
  return PlanFiles(std::filesystem::path(arguments.output) / "plans", identity,
                   [](const std::string& message) { throw std::runtime_error(message); });
}

// cuDNN wants a driver to be there, though it asks it for nothing when it plans for a device that is
// described to it.
void openDriver() {
  if (dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL) == nullptr &&
      dlopen(CUDNN_RESNET_STUB_DRIVER, RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    throw std::runtime_error(dlerror());
  }
}

int run(const Arguments& arguments) {
  openDriver();
  std::printf("cuDNN %s\n", requireCudnn().versionText.c_str());
  size_t planned = 0;
  size_t refused = 0;
  size_t notSerialized = 0;
  const auto graphs = graphsOf(arguments);
  const auto begin = std::chrono::steady_clock::now();
  for (const std::string& gpu : arguments.gpus) {
    const std::string properties = propertiesOf(gpu);
    const Target target(properties);
    auto files = filesFor(arguments, properties);
    for (size_t i = arguments.shard; i < graphs.size(); i += arguments.shards) {
      try {
        const CompiledGraph compiled = compile(target, graphs[i]);
        ++planned;
        const auto serialized = compiled.serialize();
        notSerialized += serialized ? 0 : 1;
        if (files && serialized) {
          files->write(text(graphs[i]), *serialized);
        }
        if (arguments.verbose) {
          std::printf("%s: %s: %s, workspace %lld\n", gpu.c_str(), text(graphs[i]).c_str(),
                      compiled.engine.c_str(), static_cast<long long>(compiled.workspaceBytes));
        }
      } catch (const Error& error) {
        ++refused;
        std::printf("REFUSED for %s: %s\n", gpu.c_str(), error.what());
      }
      std::fflush(stdout);
    }
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  std::printf("%zu graphs planned in %.0f s, %zu refused; %zu plans cannot be kept in a file\n", planned,
              seconds.count(), refused, notSerialized);
  return refused == 0 && planned > 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** values) {
  try {
    return run(parse(count, values));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cuda-planning: %s\n", error.what());
    return 2;
  }
}
