// What people are told on stderr: that the package goes on, but not as well as it could.
#pragma once

#include <cstdio>
#include <string>

namespace cudnn_resnet {

inline void warn(const std::string& message) { std::fprintf(stderr, "cudnn-resnet: %s\n", message.c_str()); }

}  // namespace cudnn_resnet
