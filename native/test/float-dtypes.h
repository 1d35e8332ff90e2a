// The dtypes that engines compute in, as parameters of tests.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "core/dtype.h"

namespace cudnn_resnet::test {

inline const auto floatDTypes = testing::Values(DType::Float32, DType::Float16, DType::BFloat16);

inline std::string dtypeName(const testing::TestParamInfo<DType>& info) {
  return std::string(name(info.param));
}

}  // namespace cudnn_resnet::test
