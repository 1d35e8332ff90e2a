// What lies in a file from some position on.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

namespace cudnn_resnet {

// It has a descriptor of its own, so that the file stays open when JavaScript closes it.
class FileRange {
 public:
  // `path` is for messages. Throws Error(Weights) where `descriptor` is of no open file.
  FileRange(std::string path, int descriptor, int64_t position);
  FileRange(const FileRange&) = delete;
  FileRange& operator=(const FileRange&) = delete;
  ~FileRange();

  // Reads the `bytes` bytes from `offset` on, on any thread. Whether it could is what check() says.
  void read(void* to, size_t offset, size_t bytes) noexcept;

  // Throws Error(Weights) where anything that was asked for could not be read.
  void check() const;

 private:
  std::string path_;
  int64_t position_;
  int descriptor_;
  std::atomic<bool> ended_{false};
  std::atomic<int> error_{0};
};

}  // namespace cudnn_resnet
