// Processes that fill one folder of plans and are killed at any moment leave plans that are whole, or none.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <random>
#include <string>
#include <thread>

#include "cuda/plan-files.h"

namespace cudnn_resnet::cuda {
namespace {

namespace fs = std::filesystem;

constexpr int graphs = 20;

std::string graph(int i) { return "graph " + std::to_string(i); }

// Long enough that writing takes a while, and told from a part of itself by its end.
std::string plan(int i) {
  return std::string(200'000 + static_cast<size_t>(i), static_cast<char>('a' + i)) + "\nend";
}

// Writes plans until it is killed; _exit() keeps what the test program does at its end from running twice.
[[noreturn]] void writeForever(const fs::path& folder) {
  PlanFiles files(folder, "identity", [](const std::string&) {});
  for (int i = 0;; i = (i + 1) % graphs) {
    files.write(graph(i), plan(i));
    if (files.read(graph(i)) != plan(i)) {
      _exit(1);
    }
  }
}

TEST(CudaPlanFiles, AHundredKilledProcessesLeaveWholePlans) {
  const fs::path folder = fs::path(testing::TempDir()) / ("plans-" + std::to_string(getpid()));
  std::mt19937 random{std::random_device{}()};
  std::string warnings;
  for (int round = 0; round < 50; ++round) {
    std::vector<pid_t> children;
    for (int i = 0; i < 2; ++i) {
      const pid_t child = fork();
      ASSERT_GE(child, 0);
      if (child == 0) {
        writeForever(folder);
      }
      children.push_back(child);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 20'000));
    for (const pid_t child : children) {
      kill(child, SIGKILL);
      int status = 0;
      waitpid(child, &status, 0);
      ASSERT_TRUE(WIFSIGNALED(status)) << "a plan was read that was not the one written";
    }
    PlanFiles files(folder, "identity", [&](const std::string& warning) { warnings += warning + "\n"; });
    for (int i = 0; i < graphs; ++i) {
      const auto read = files.read(graph(i));
      ASSERT_TRUE(!read || read == plan(i)) << "graph " << i << " in round " << round;
    }
  }
  EXPECT_EQ(warnings, "");  // renaming is whole or not at all, so nothing is ever damaged
  fs::remove_all(folder);
}

}  // namespace
}  // namespace cudnn_resnet::cuda
