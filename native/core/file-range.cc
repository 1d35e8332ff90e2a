#include "core/file-range.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "core/error.h"

namespace cudnn_resnet {
namespace {

Error unreadable(const std::string& path, int error) {
  return {ErrorCode::Weights, path + ": cannot be read (" + std::generic_category().message(error) + ")"};
}

}  // namespace

FileRange::FileRange(std::string path, int descriptor, int64_t position)
    : path_(std::move(path)), position_(position), descriptor_(fcntl(descriptor, F_DUPFD_CLOEXEC, 0)) {
  if (descriptor_ < 0) {
    throw unreadable(path_, errno);
  }
}

FileRange::~FileRange() { close(descriptor_); }

void FileRange::read(void* to, size_t offset, size_t bytes) noexcept {
  for (size_t done = 0; done < bytes;) {
    const ssize_t got = pread(descriptor_, static_cast<std::byte*>(to) + done, bytes - done,
                              static_cast<off_t>(position_ + static_cast<int64_t>(offset + done)));
    if (got > 0) {
      done += static_cast<size_t>(got);
    } else if (got == 0) {
      ended_ = true;
      return;
    } else if (errno != EINTR) {
      error_ = errno;
      return;
    }
  }
}

void FileRange::check() const {
  if (error_ != 0) {
    throw unreadable(path_, error_);
  }
  if (ended_) {
    throw Error(ErrorCode::Weights,
                path_ + ": ends within the elements that it promises at byte " + std::to_string(position_));
  }
}

}  // namespace cudnn_resnet
