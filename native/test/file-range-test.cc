#include "core/file-range.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>

#include "expect-error.h"
#include "fake-engine.h"
#include "outcome.h"

namespace cudnn_resnet {
namespace {

// Its bytes are 0, 1, 2 and so on.
class FileRangeTest : public testing::Test {
 protected:
  FileRangeTest() {
    for (int i = 0; i < 100; ++i) {
      std::fputc(i, file);
    }
    std::fflush(file);
  }
  ~FileRangeTest() override { close(); }

  void close() {
    if (file != nullptr) {
      std::fclose(file);
      file = nullptr;
    }
  }

  std::FILE* file = std::tmpfile();
};

TEST_F(FileRangeTest, ReadsFromItsPositionOnAlsoWhenTheFileWasClosed) {
  FileRange range("a path", fileno(file), 10);
  close();
  std::array<uint8_t, 3> bytes{};
  range.read(bytes.data(), 5, 3);
  EXPECT_EQ(bytes, (std::array<uint8_t, 3>{15, 16, 17}));
  EXPECT_NO_THROW(range.check());
}

TEST_F(FileRangeTest, TellsThatTheFileEnds) {
  FileRange range("a path", fileno(file), 90);
  std::array<uint8_t, 11> bytes{};
  range.read(bytes.data(), 0, 10);
  EXPECT_NO_THROW(range.check());
  range.read(bytes.data(), 0, 11);
  test::expectError(ErrorCode::Weights, "a path: ends within the elements that it promises at byte 90",
                    [&] { range.check(); });
}

TEST_F(FileRangeTest, TellsThatNothingCanBeRead) {
  EXPECT_THROW(FileRange("a path", -1, 0), Error);
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  FileRange range("a path", ends[0], 0);
  ::close(ends[0]);
  ::close(ends[1]);
  uint8_t byte = 0;
  range.read(&byte, 0, 1);
  test::expectError(ErrorCode::Weights, "a path: cannot be read (Illegal seek)", [&] { range.check(); });
}

TEST_F(FileRangeTest, HoldsTheFileAloneAndNoLonger) {
  const int next = dup(0);
  ::close(next);
  {
    const FileRange range("a path", fileno(file), 0);
    EXPECT_EQ(fcntl(next, F_GETFD), FD_CLOEXEC) << "a program that is started meanwhile does not have it";
  }
  EXPECT_EQ(fcntl(next, F_GETFD), -1);
}

TEST_F(FileRangeTest, AnEngineThatReadsInOnePieceUploadsIt) {
  Device device(test::fakeDevice());
  const auto x = test::tensor({5}, DType::UInt8);
  FileRange range("a path", fileno(file), 20);
  device.submit({{}, {x}, [&](Engine& engine) {
                   engine.uploadFrom(
                       [&](void* to, size_t offset, size_t bytes) { range.read(to, offset, bytes); }, *x);
                 }});
  std::array<uint8_t, 5> values{};
  EXPECT_EQ(test::readOutcome(device, x, [&](Engine& engine) { return engine.fetch(*x, values.data()); }),
            nullptr);
  EXPECT_EQ(values, (std::array<uint8_t, 5>{20, 21, 22, 23, 24}));
}

}  // namespace
}  // namespace cudnn_resnet
