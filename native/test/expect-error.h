// Expects that a call throws an Error of a code, and that `part` is in its message.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "core/error.h"

namespace cudnn_resnet::test {

template <typename Call>
void expectError(ErrorCode code, const std::string& part, Call&& call) {
  try {
    call();
    ADD_FAILURE() << "nothing was thrown; expected " << name(code) << " with " << part;
  } catch (const Error& error) {
    EXPECT_STREQ(name(error.code()), name(code));
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

template <typename Call>
void expectError(ErrorCode code, Call&& call) {
  expectError(code, "", call);
}

}  // namespace cudnn_resnet::test
