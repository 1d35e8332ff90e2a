// Turns the bytes that libFuzzer comes up with into values. Past their end everything is zero.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace cudnn_resnet::fuzz {

class Input {
 public:
  Input(const uint8_t* data, size_t size) : bytes_(data, size) {}

  [[nodiscard]] bool empty() const { return bytes_.empty(); }

  uint8_t byte() {
    uint8_t value = 0;
    take(&value, 1);
    return value;
  }

  // From `least` to `most`: mostly small, sometimes at the ends of the range.
  int64_t integer(int64_t least, int64_t most) {
    const uint8_t kind = byte();
    if (kind < 200) {
      return least + kind % 16 <= most ? least + kind % 16 : most;
    }
    if (kind < 220) {
      return most - byte() % (most - least < 4 ? 1 : 4);
    }
    uint64_t value = 0;
    take(&value, sizeof value);
    const uint64_t range = static_cast<uint64_t>(most) - static_cast<uint64_t>(least);
    return static_cast<int64_t>(static_cast<uint64_t>(least) +
                                (range == UINT64_MAX ? value : value % (range + 1)));
  }

  void take(void* to, size_t count) {
    const size_t have = count < bytes_.size() ? count : bytes_.size();
    if (count > 0) {
      std::memset(to, 0, count);
    }
    if (have > 0) {
      std::memcpy(to, bytes_.data(), have);
    }
    bytes_ = bytes_.subspan(have);
  }

 private:
  std::span<const uint8_t> bytes_;
};

}  // namespace cudnn_resnet::fuzz
