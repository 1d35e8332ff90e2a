#include "core/error.h"

#include <gtest/gtest.h>

#include <memory>
#include <new>
#include <optional>
#include <stdexcept>

#include "scarce-host-memory.h"

namespace cudnn_resnet {
namespace {

template <typename Exception>
Error caught(const Exception& exception) {
  try {
    throw exception;
  } catch (...) {
    return currentError();
  }
}

TEST(Error, KeepsItsCodeAndItsText) {
  const Error error = caught(Error(ErrorCode::DeviceLost, "gone"));
  EXPECT_EQ(error.code(), ErrorCode::DeviceLost);
  EXPECT_STREQ(error.what(), "gone");
}

TEST(Error, ExceptionsOfTheLibraryGetACode) {
  EXPECT_EQ(caught(std::bad_alloc()).code(), ErrorCode::OutOfMemory);
  EXPECT_EQ(caught(std::runtime_error("odd")).code(), ErrorCode::Native);
  EXPECT_STREQ(caught(std::runtime_error("odd")).what(), "odd");
  EXPECT_EQ(caught(42).code(), ErrorCode::Native);
}

TEST(Error, ThatThereIsNoMemoryTakesNoneToSay) {
  if (!test::NoHostMemory::possible) {
    GTEST_SKIP() << "not under sanitizers";
  }
  std::optional<Error> own;
  std::shared_ptr<const Error> shared;
  try {
    throw std::runtime_error("what is said of anything else is copied, which takes memory");
  } catch (...) {
    const test::NoHostMemory none;
    own = currentError();
    shared = sharedCurrentError();
  }
  EXPECT_EQ(own->code(), ErrorCode::OutOfMemory);
  EXPECT_EQ(shared->code(), ErrorCode::OutOfMemory);
  EXPECT_STREQ(shared->what(), caught(std::bad_alloc()).what());
}

TEST(Error, CodesHaveTheNamesThatJavaScriptKnows) {
  EXPECT_STREQ(name(ErrorCode::Argument), "ERR_ARGUMENT");
  EXPECT_STREQ(name(ErrorCode::Shape), "ERR_SHAPE");
  EXPECT_STREQ(name(ErrorCode::DType), "ERR_DTYPE");
  EXPECT_STREQ(name(ErrorCode::Device), "ERR_DEVICE");
  EXPECT_STREQ(name(ErrorCode::Disposed), "ERR_DISPOSED");
  EXPECT_STREQ(name(ErrorCode::OutOfMemory), "ERR_OUT_OF_MEMORY");
  EXPECT_STREQ(name(ErrorCode::Weights), "ERR_WEIGHTS");
  EXPECT_STREQ(name(ErrorCode::DeviceLost), "ERR_DEVICE_LOST");
  EXPECT_STREQ(name(ErrorCode::Backend), "ERR_BACKEND");
  EXPECT_STREQ(name(ErrorCode::Native), "ERR_NATIVE");
}

}  // namespace
}  // namespace cudnn_resnet
