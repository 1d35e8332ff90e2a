#ifdef CUDNN_RESNET_CUDA

#include "cuda/signal-handlers.h"

#include <gtest/gtest.h>

#include <csignal>
#include <optional>

namespace cudnn_resnet::cuda {
namespace {

void nodes(int /*signal*/) {}
void nvrtcs(int /*signal*/) {}
void users(int /*signal*/) {}

class SignalHandlersTest : public testing::Test {
 protected:
  SignalHandlersTest() {
    struct sigaction action {};
    action.sa_handler = nodes;
    action.sa_flags = SA_RESETHAND;
    sigaction(SIGTERM, &action, &former_);
  }
  ~SignalHandlersTest() override { sigaction(SIGTERM, &former_, nullptr); }

  static void compile() {
    const auto former = std::signal(SIGTERM, nvrtcs);
    std::signal(SIGTERM, former);
  }
  static struct sigaction now() {
    struct sigaction action {};
    sigaction(SIGTERM, nullptr, &action);
    return action;
  }
  static bool resets() { return (static_cast<unsigned>(now().sa_flags) & SA_RESETHAND) != 0; }

 private:
  struct sigaction former_ {};
};

TEST_F(SignalHandlersTest, KeepTheirFlags) {
  {
    const KeptSignalHandlers kept;
    compile();
    EXPECT_FALSE(resets());
  }
  EXPECT_EQ(now().sa_handler, nodes);
  EXPECT_TRUE(resets());
}

TEST_F(SignalHandlersTest, GetTheirFlagsBackWhenTheLastThreadHasCompiled) {
  std::optional<KeptSignalHandlers> other;
  other.emplace();
  compile();
  {
    const KeptSignalHandlers kept;
    compile();
  }
  other.reset();
  EXPECT_TRUE(resets());
}

TEST_F(SignalHandlersTest, MayBeReplacedMeanwhile) {
  {
    const KeptSignalHandlers kept;
    compile();
    std::signal(SIGTERM, users);
  }
  EXPECT_EQ(now().sa_handler, users);
}

}  // namespace
}  // namespace cudnn_resnet::cuda

#endif
