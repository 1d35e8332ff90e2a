// Random numbers that depend on nothing but the seed: not on the machine, the thread count or the device.
#pragma once

#include <cstdint>
#include <span>

namespace cudnn_resnet {

struct RandomSequence {
  uint64_t seed;
  uint64_t stream;  // sequences of different streams are independent
};

// Uniform over [low, high).
void fillUniform(RandomSequence sequence, double low, double high, std::span<float> out);
void fillNormal(RandomSequence sequence, double mean, double deviation, std::span<float> out);

}  // namespace cudnn_resnet
