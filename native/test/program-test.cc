#include "core/program.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "core/host-memory.h"
#include "core/recording.h"
#include "expect-error.h"
#include "fake-engine.h"
#include "outcome.h"

namespace cudnn_resnet::test {
namespace {

// y = x + 1 for a tensor of one byte.
Operation increment(const TensorPtr& x, const TensorPtr& y) {
  return {{x},
          {y},
          [x, y](Engine& engine) {
            uint8_t value = 0;
            engine.download(*x, &value);
            ++value;
            engine.upload(&value, *y);
          },
          true};
}

TensorPtr byte() { return tensor({1}, DType::UInt8); }

uint8_t valueOf(Engine& engine, Tensor& x) {
  uint8_t value = 0;
  engine.download(x, &value);
  return value;
}

void expectReads(Device& device, const TensorPtr& x, uint8_t expected) {
  uint8_t value = 0;
  EXPECT_EQ(readOutcome(device, x, [&](Engine& engine) { return engine.fetch(*x, &value); }), nullptr);
  EXPECT_EQ(value, expected);
}

class ProgramTest : public testing::TestWithParam<bool> {
 protected:
  ProgramTest() { engine.capturing = GetParam(); }

  TensorPtr written(uint8_t value) {
    auto x = byte();
    engine.upload(&value, *x);
    return x;
  }

  void compute(Program& program, const std::vector<TensorPtr>& arguments,
               const std::vector<TensorPtr>& results) {
    program.run(engine, arguments, results, Cancellation());
  }

  FakeEngine engine;
  std::shared_ptr<Recording> recording = std::make_shared<Recording>();
};

INSTANTIATE_TEST_SUITE_P(Captured, ProgramTest, testing::Bool());

TEST_P(ProgramTest, ComputesItsOutputsAnewAtEachRun) {
  const auto x = recording->input({1}, DType::UInt8);
  const auto once = byte();
  const auto twice = byte();
  recording->append(increment(x, once));
  recording->append(increment(once, twice));
  const auto program = recording->end({twice, once, x});

  const std::vector<TensorPtr> first{byte(), byte(), byte()};
  const std::vector<TensorPtr> second{byte(), byte(), byte()};
  const auto argument = written(10);
  compute(*program, {argument}, first);
  compute(*program, {written(20)}, second);
  for (size_t i = 0; i < 3; ++i) {
    const auto offset = static_cast<uint8_t>(2 - i);
    EXPECT_EQ(valueOf(engine, *first[i]), 10 + offset);
    EXPECT_EQ(valueOf(engine, *second[i]), 20 + offset);
  }
  EXPECT_EQ(valueOf(engine, *argument), 10);
  EXPECT_EQ(engine.captures, GetParam() ? 1 : 2);
}

// What ended an attempt may be over at the next run; what no engine can capture is not tried for ever.
TEST_P(ProgramTest, TriesToCaptureThreeTimes) {
  const auto x = recording->input({1}, DType::UInt8);
  const auto y = byte();
  recording->append(increment(x, y));
  const auto program = recording->end({y});
  const auto result = byte();
  testing::internal::CaptureStderr();
  for (uint8_t run = 0; run < 5; ++run) {
    compute(*program, {written(run)}, {result});
    EXPECT_EQ(valueOf(engine, *result), run + 1);
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            GetParam() ? ""
                       : "cudnn-resnet: what was recorded runs operation by operation: this engine cannot "
                         "capture\n");
  EXPECT_EQ(engine.captures, GetParam() ? 1 : 3);
}

TEST_P(ProgramTest, ReadsItsConstantsAsTheyAreAtEachRun) {
  const auto constant = written(1);
  const auto y = byte();
  const auto x = recording->input({1}, DType::UInt8);
  recording->append({{x, constant}, {y}, [constant, y](Engine& e) { e.reshape(*constant, *y); }, true});
  const auto program = recording->end({y});

  const auto result = byte();
  compute(*program, {written(0)}, {result});
  EXPECT_EQ(valueOf(engine, *result), 1);
  const uint8_t other = 7;
  engine.upload(&other, *constant);  // a new storage
  compute(*program, {written(0)}, {result});
  EXPECT_EQ(valueOf(engine, *result), 7);
  EXPECT_EQ(engine.captures, 2);
}

TEST_P(ProgramTest, HandsOnTheErrorOfAConstant) {
  const auto constant = byte();
  const auto y = byte();
  const auto x = recording->input({1}, DType::UInt8);
  recording->append({{x, constant}, {y}, [](Engine&) { FAIL() << "it ran"; }, true});
  const auto program = recording->end({y});
  constant->error = std::make_shared<Error>(ErrorCode::Backend, "the first error");
  expectError(ErrorCode::Backend, "the first error", [&] { compute(*program, {written(0)}, {byte()}); });
}

TEST_P(ProgramTest, ReturnsAConstantOnlyWhereItHasValues) {
  const auto constant = byte();
  const auto program = recording->end({constant});
  const auto result = byte();
  EXPECT_THROW(compute(*program, {}, {result}), Error);
  const uint8_t value = 3;
  engine.upload(&value, *constant);
  compute(*program, {}, {result});
  EXPECT_EQ(valueOf(engine, *result), 3);
}

TEST_P(ProgramTest, LetsTheLastReaderOfAnIntermediateResultWriteOverIt) {
  const auto x = recording->input({1}, DType::UInt8);
  const auto constant = written(1);
  constant->abandoned = true;
  constant->pendingReads = 1;  // by an operation that is no part of the program
  const auto middle = byte();
  const auto early = byte();
  const auto y = byte();
  std::vector<bool> last;
  recording->append(increment(x, middle));
  recording->append({{middle},
                     {early},
                     [&, middle, early](Engine& e) {
                       last = {middle->lastRead()};
                       e.zeros(*early);
                     },
                     true});
  recording->append({{middle, x, constant},
                     {y},
                     [&, middle, early, x, constant, y](Engine& e) {
                       for (const TensorPtr& read : {middle, x, constant}) {
                         last.push_back(read->lastRead());
                       }
                       EXPECT_EQ(early->storage, nullptr) << "which nothing reads";
                       e.zeros(*y);
                     },
                     true});
  const auto twice = byte();
  recording->append({{y, y},
                     {twice},
                     [&, middle, y, twice](Engine& e) {
                       last.push_back(y->lastRead());  // it is read in two places at once
                       EXPECT_EQ(middle->storage, nullptr) << "which nothing more reads";
                       e.zeros(*twice);
                     },
                     true});
  auto program = recording->end({twice});
  for (int run = 0; run < 2; ++run) {
    compute(*program, {written(0)}, {byte()});
    EXPECT_EQ(last, (std::vector{false, true, false, false, false}));
  }
  program.reset();
  EXPECT_TRUE(constant->lastRead());
}

TEST_P(ProgramTest, CapturesAgainAfterItWasToldToForget) {
  const auto x = recording->input({1}, DType::UInt8);
  const auto y = byte();
  recording->append(increment(x, y));
  const auto program = recording->end({y});
  const auto result = byte();
  compute(*program, {written(1)}, {result});
  program->forget();
  compute(*program, {written(4)}, {result});
  EXPECT_EQ(valueOf(engine, *result), 5);
}

TEST_P(ProgramTest, StopsBetweenTwoStepsOnceItIsCancelled) {
  const auto x = recording->input({1}, DType::UInt8);
  const auto middle = byte();
  const auto y = byte();
  Cancellation* now = nullptr;  // cancelled by the first step of a run
  int finished = 0;
  recording->append(increment(x, middle));
  recording->append({{middle},
                     {y},
                     [&, middle, y](Engine& e) {
                       if (now != nullptr) {
                         now->cancel();
                       }
                       e.copy(*middle, *y);
                     },
                     true});
  const auto twice = byte();
  Operation last = increment(y, twice);
  last.run = [&, run = last.run](Engine& e) {
    ++finished;
    run(e);
  };
  recording->append(std::move(last));
  const auto program = recording->end({middle, twice});

  for (const uint8_t value : {10, 20}) {  // before anything is captured, and after
    Cancellation cancellation;
    now = &cancellation;
    const int before = finished;
    expectError(ErrorCode::Aborted, [&] {
      program->run(engine, {written(value)}, {byte(), byte()}, cancellation);
    });
    EXPECT_EQ(finished, before);
    if (!GetParam()) {
      EXPECT_EQ(middle->storage, nullptr);
    }

    now = nullptr;
    const std::vector<TensorPtr> results{byte(), byte()};
    compute(*program, {written(value)}, results);
    EXPECT_EQ(valueOf(engine, *results[0]), value + 1);
    EXPECT_EQ(valueOf(engine, *results[1]), value + 2);
  }
}

TEST(Recording, RefusesWhatCannotBeRunAgain) {
  const auto recording = std::make_shared<Recording>();
  const auto x = recording->input({1}, DType::UInt8);
  Operation inPlace = increment(x, byte());
  inPlace.pure = false;
  EXPECT_THROW(recording->append(std::move(inPlace)), Error);

  const auto second = std::make_shared<Recording>();
  const auto other = second->input({1}, DType::UInt8);
  EXPECT_THROW((void)Recording::of({{x, other}, {byte()}, {}}), Error);
  EXPECT_EQ(Recording::of({{x, byte()}, {byte()}, {}}), recording);
  EXPECT_EQ(Recording::of({{byte()}, {byte()}, {}}), nullptr);

  (void)second->end({});
  (void)recording->end({x});
  EXPECT_THROW(recording->append(increment(x, byte())), Error);
}

TEST(Recording, RefusesToReturnATensorOfAnother) {
  const auto outer = std::make_shared<Recording>();
  const auto y = byte();
  outer->append(increment(outer->input({1}, DType::UInt8), y));
  const auto inner = std::make_shared<Recording>();
  const auto x = inner->input({1}, DType::UInt8);
  EXPECT_THROW((void)inner->end({x, y}), Error);
  EXPECT_EQ(inner->end({x})->outputs().size(), 1U);
  EXPECT_EQ(outer->end({y})->outputs().size(), 1U);
}

TEST(DeviceProgram, RunsInTheQueueAndPoisonsItsResults) {
  Device device(fakeDevice());
  const auto recording = std::make_shared<Recording>();
  const auto x = recording->input({1}, DType::UInt8);
  const auto y = byte();
  device.submit(increment(x, y));  // is noted
  EXPECT_THROW(device.read(
                   x, [](Engine&) { return Arrival(); }, [](const Outcome&) {}),
               Error);
  const auto program = recording->end({y});

  const auto argument = byte();
  const auto result = byte();
  device.run(program, {argument}, {result});  // nothing has written the argument
  const Outcome outcome = readOutcome(device, result);
  ASSERT_NE(outcome, nullptr);
  EXPECT_EQ(outcome->code(), ErrorCode::Weights);

  makeZeros(device, argument);
  const auto good = byte();
  device.run(program, {argument}, {good});
  expectReads(device, good, 1);
  device.trim();
  EXPECT_EQ(drained(device), nullptr);
}

// On a device whose engine captures, and has memory of its own.
class CapturedProgram : public testing::Test {
 protected:
  struct CapturingEngine : FakeEngine {
    explicit CapturingEngine(EngineMemory& memory)
        : allocator(std::make_shared<CachingAllocator>(std::make_unique<HostMemory>(), memory.use)) {
      memory.allocator = allocator;
      capturing = true;
    }
    ~CapturingEngine() override { EXPECT_EQ(held.use_count(), 1) << "what was captured outlives its engine"; }
    std::unique_ptr<Replay> capture(const Work& work) override {
      if (full) {
        throw Error(ErrorCode::OutOfMemory, "no memory for an arena");
      }
      auto replay = FakeEngine::capture([work, held = held] { work(); });
      return never ? nullptr : std::move(replay);
    }
    void trim() noexcept override { ++trims; }
    std::shared_ptr<CachingAllocator> allocator;
    std::shared_ptr<int> held = std::make_shared<int>(0);
    int trims = 0;
    bool full = false;
    bool never = false;
  };

  DeviceDescription description() {
    DeviceDescription description = fakeDevice();
    description.open = [this](EngineMemory& memory) {
      auto opened = std::make_unique<CapturingEngine>(memory);
      engine = opened.get();
      return opened;
    };
    return description;
  }

  // y = x + 1 once `first` has been done.
  std::shared_ptr<Program> recorded(std::function<void(const Tensor& x)> first = [](const Tensor&) {}) {
    const auto recording = std::make_shared<Recording>();
    const auto x = recording->input({1}, DType::UInt8);
    const auto y = byte();
    Operation operation = increment(x, y);
    operation.run = [x, first = std::move(first), run = operation.run](Engine& e) {
      first(*x);
      run(e);
    };
    recording->append(std::move(operation));
    return recording->end({y});
  }

  // What a run with x = 0 ends with.
  Outcome outcome(const std::shared_ptr<Program>& program, const TensorPtr& result = byte()) {
    const auto argument = byte();
    makeZeros(device, argument);
    device.run(program, {argument}, {result});
    return readOutcome(device, result);
  }
  void expectOne(const std::shared_ptr<Program>& program) {
    const auto result = byte();
    ASSERT_EQ(outcome(program, result), nullptr);
    expectReads(device, result, 1);
  }

  CapturingEngine* engine = nullptr;
  Device device{description()};
};

TEST_F(CapturedProgram, IsCapturedAgainForOtherThreadsAndAfterTrim) {
  const auto program = recorded();
  expectOne(program);
  expectOne(program);
  EXPECT_EQ(engine->captures, 1);
  device.setThreads(2);
  expectOne(program);
  EXPECT_EQ(engine->captures, 2);
  device.trim();
  expectOne(program);
  EXPECT_EQ(engine->captures, 3);
  EXPECT_EQ(engine->trims, 1);
}

TEST_F(CapturedProgram, MakesRoomForOthersButNotWhileItRuns) {
  const auto other = recorded();
  expectOne(other);
  const auto program = recorded([this](const Tensor& x) {
    EXPECT_THROW((void)engine->allocator->allocate(size_t{1} << 40U), Error);
    EXPECT_NE(x.storage, nullptr);
  });
  expectOne(program);
  EXPECT_EQ(engine->captures, 2);
  EXPECT_GE(engine->trims, 1);
  expectOne(program);
  EXPECT_EQ(engine->captures, 2);
  expectOne(other);
  EXPECT_EQ(engine->captures, 3);
}

TEST_F(CapturedProgram, IsTriedAgainAfterItFoundNoMemory) {
  const auto program = recorded();
  ASSERT_EQ(drained(device), nullptr);
  engine->full = true;
  for (int run = 0; run < 4; ++run) {
    const Outcome failed = outcome(program);
    ASSERT_NE(failed, nullptr);
    EXPECT_EQ(failed->code(), ErrorCode::OutOfMemory);
  }
  engine->full = false;
  expectOne(program);
  expectOne(program);
  EXPECT_EQ(engine->captures, 1);
}

TEST_F(CapturedProgram, IsNotTriedAgainOnAnEngineThatNeverCaptures) {
  const auto program = recorded();
  ASSERT_EQ(drained(device), nullptr);
  engine->never = true;
  expectOne(program);
  expectOne(program);
  EXPECT_EQ(engine->captures, 1);
}

TEST_F(CapturedProgram, KeepsNothingOfARunThatFails) {
  const Tensor* input = nullptr;
  bool fails = false;
  const auto program = recorded([&](const Tensor& x) {
    input = &x;
    if (fails) {
      throw Error(ErrorCode::Backend, "no");
    }
  });
  ASSERT_EQ(drained(device), nullptr);
  engine->never = true;
  expectOne(program);
  fails = true;
  EXPECT_NE(outcome(program), nullptr);
  EXPECT_EQ(input->storage, nullptr);
}

TEST_F(CapturedProgram, IsFreedBeforeTheEngineOfADeviceThatCloses) {
  const auto program = recorded();
  expectOne(program);
  device.close();
}

TEST_F(CapturedProgram, TrimGivesBackWhatTheAllocatorKeeps) {
  device.call([this](Engine&) { (void)engine->allocator->allocate(1000); }, [](const Outcome&) {});
  EXPECT_EQ(drained(device), nullptr);
  EXPECT_GT(device.memory().reserved, 0U);
  device.trim();
  EXPECT_EQ(drained(device), nullptr);
  EXPECT_EQ(device.memory().reserved, 0U);
}

}  // namespace
}  // namespace cudnn_resnet::test
