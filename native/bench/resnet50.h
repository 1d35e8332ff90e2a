// What ResNet-50 asks of the primitives, for images of 224×224.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace cudnn_resnet::bench {

// A square convolution with bias.
struct Convolution {
  std::string name;                       // of the first layer that is like it
  int64_t in, out, kernel, stride, size;  // `size` of its input
  bool relu, add;
  int count;  // layers that are like it

  [[nodiscard]] int64_t outSize() const { return (size + 2 * (kernel / 2) - kernel) / stride + 1; }
};

// The network's distinct convolutions.
[[nodiscard]] inline std::vector<Convolution> convolutions() {
  std::vector<Convolution> list{{"conv1", 3, 64, 7, 2, 224, true, false, 1}};
  const auto add = [&list](const Convolution& layer) {
    for (auto& known : list) {
      if (known.in == layer.in && known.out == layer.out && known.kernel == layer.kernel &&
          known.stride == layer.stride && known.size == layer.size && known.relu == layer.relu &&
          known.add == layer.add) {
        ++known.count;
        return;
      }
    }
    list.push_back(layer);
  };
  constexpr std::array blocks{3, 4, 6, 3};
  int64_t in = 64;
  int64_t size = 56;
  for (int group = 0; group < 4; ++group) {
    const int64_t width = 64 << group;
    for (int block = 0; block < blocks.at(static_cast<size_t>(group)); ++block) {
      const std::string name = "layer" + std::to_string(group + 1) + "." + std::to_string(block);
      const int64_t stride = block == 0 && group > 0 ? 2 : 1;
      const int64_t outSize = size / stride;
      add({name + ".conv1", in, width, 1, 1, size, true, false, 1});
      add({name + ".conv2", width, width, 3, stride, size, true, false, 1});
      if (block == 0) {
        add({name + ".downsample", in, 4 * width, 1, stride, size, false, false, 1});
      }
      add({name + ".conv3", width, 4 * width, 1, 1, outSize, true, true, 1});
      in = 4 * width;
      size = outSize;
    }
  }
  return list;
}

}  // namespace cudnn_resnet::bench
