#include <gtest/gtest.h>

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <future>
#include <map>
#include <optional>
#include <thread>
#include <vector>

#include "cuda/plan-files.h"

namespace cudnn_resnet::cuda {
namespace {

namespace fs = std::filesystem;

class PlanFilesTest : public testing::Test {
 protected:
  PlanFilesTest()
      : folder_(fs::temp_directory_path() / ("cudnn-resnet-plans-" + std::to_string(getpid()) + "-" +
                                             testing::UnitTest::GetInstance()->current_test_info()->name())) {
  }
  ~PlanFilesTest() override { fs::remove_all(folder_); }

  PlanFiles files(const std::string& identity = "cudnn 9.24.0 sm_90", uint64_t mostBytes = 1 << 20) {
    return {folder_, identity, [this](const std::string& message) { warnings_.push_back(message); },
            PlanFiles::Use::Cache, mostBytes};
  }
  PlanFiles given(const std::string& identity = "cudnn 9.24.0 sm_90") {
    return {folder_, identity, [this](const std::string& message) { warnings_.push_back(message); },
            PlanFiles::Use::Given};
  }
  std::vector<fs::path> written() const {
    std::vector<fs::path> paths;
    for (const auto& entry : fs::directory_iterator(folder_)) {
      paths.push_back(entry.path());
    }
    return paths;
  }

  fs::path folder_;
  std::vector<std::string> warnings_;
};

TEST_F(PlanFilesTest, GivesBackWhatWasWritten) {
  auto first = files();
  EXPECT_EQ(first.read("conv a"), std::nullopt);
  const std::string plan("plan of a\nwith lines and \0", 25);
  first.write("conv a", plan);
  first.write("conv b", "plan of b");
  auto second = files();
  EXPECT_EQ(second.read("conv a"), plan);
  EXPECT_EQ(second.read("conv b"), "plan of b");
  EXPECT_EQ(second.read("conv c"), std::nullopt);
  EXPECT_TRUE(warnings_.empty());
}

TEST_F(PlanFilesTest, KeepsLibrariesAndDevicesApart) {
  files("cudnn 9.24.0 sm_90").write("conv a", "for 9.0");
  EXPECT_EQ(files("cudnn 9.24.0 sm_80").read("conv a"), std::nullopt);
  EXPECT_EQ(files("cudnn 9.23.0 sm_90").read("conv a"), std::nullopt);
  EXPECT_TRUE(warnings_.empty());
}

TEST_F(PlanFilesTest, IgnoresDamageWithOneWarning) {
  const std::string plan(1000, 'p');
  for (const auto& damage : std::vector<std::function<void(const fs::path&)>>{
           [](const fs::path& path) { fs::resize_file(path, 500); },
           [](const fs::path& path) { fs::resize_file(path, 0); },
           [](const fs::path& path) { fs::resize_file(path, 10); },
           [](const fs::path& path) {
             std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
             file.seekp(900);
             file.put('x');
           },
           [](const fs::path& path) {
             std::ofstream(path) << "cudnn-resnet-plan-0\nof another version\n";
           }}) {
    warnings_.clear();
    auto cache = files();
    cache.write("conv a", plan);
    ASSERT_EQ(written().size(), 1U);
    damage(written()[0]);
    EXPECT_EQ(cache.read("conv a"), std::nullopt);
    EXPECT_EQ(cache.read("conv a"), std::nullopt);
    EXPECT_EQ(warnings_.size(), 1U);
    cache.write("conv a", plan);
    EXPECT_EQ(cache.read("conv a"), plan);
  }
}

TEST_F(PlanFilesTest, GoesOnWithoutAFolderItCanWriteToAfterOneWarning) {
  std::ofstream(folder_) << "a file stands where the folder should be";
  auto cache = files();
  cache.write("conv a", "plan");
  cache.write("conv b", "plan");
  EXPECT_EQ(cache.read("conv a"), std::nullopt);
  EXPECT_EQ(warnings_.size(), 1U);
}

TEST_F(PlanFilesTest, SaysWhereAFileDoesNotGetItsName) {
  auto cache = files();
  cache.write("conv a", "plan");
  const fs::path path = written().at(0);
  fs::remove(path);
  fs::create_directories(path / "in its place");
  cache.write("conv a", "plan");
  EXPECT_EQ(warnings_.size(), 1U);
  EXPECT_EQ(written(), std::vector<fs::path>{path});
}

TEST_F(PlanFilesTest, DropsTheLongestUnusedWhereThereIsTooMuch) {
  auto cache = files("cudnn", 4000);
  const std::string plan(1000, 'p');
  for (const std::string name : {"a", "b", "c"}) {
    cache.write(name, plan);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_EQ(cache.read("a"), plan);  // used now: b is the longest unused
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  cache.write("d", plan);
  EXPECT_EQ(cache.read("b"), std::nullopt);
  for (const std::string name : {"a", "c", "d"}) {
    EXPECT_EQ(cache.read(name), plan) << name;
  }
  EXPECT_TRUE(warnings_.empty());
}

TEST_F(PlanFilesTest, ServesSeveralWritersAtOnce) {
  const std::string plan(100000, 'p');
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      auto cache = files();
      for (int round = 0; round < 20; ++round) {
        cache.write("conv a", plan);
        const auto read = cache.read("conv a");
        EXPECT_TRUE(!read || *read == plan);
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(files().read("conv a"), plan);
  EXPECT_EQ(written().size(), 1U);  // nothing unfinished is left
}

TEST_F(PlanFilesTest, SaysWhyNoneOfTheGivenOnesFits) {
  fs::create_directories(folder_);
  std::ofstream(folder_ / "0123456789abcdef.plan.1-0.new") << "cudnn-resnet-plan-1\ncudnn 9.24.0 sm_90\n";
  EXPECT_NE(given().unfit().find("there are no plans in " + folder_.string()), std::string::npos);
  files("cudnn 9.23.0 sm_90").write("conv a", "plan");
  files("cudnn 9.24.0 sm_80").write("conv a", "plan");
  const std::string why = given().unfit();
  for (const char* part : {"'cudnn 9.23.0 sm_90' and 'cudnn 9.24.0 sm_80'", "this is 'cudnn 9.24.0 sm_90'"}) {
    EXPECT_NE(why.find(part), std::string::npos) << why;
  }
  files().write("conv a", "plan");
  EXPECT_EQ(given().unfit(), "");
  EXPECT_EQ(given().read("conv a"), "plan");
  EXPECT_TRUE(warnings_.empty());
}

TEST_F(PlanFilesTest, AFolderOfPlansMayHoldWhatCannotBeRead) {
  fs::create_directories(folder_ / "folder.plan");
  const std::vector<std::string> pipes{folder_ / "pipe",
                                       folder_ / "pipe.plan"};  // opening waits for a writer
  for (const std::string& pipe : pipes) {
    ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  }
  auto why = std::async(std::launch::async, [&] { return given().unfit(); });
  const bool waits = why.wait_for(std::chrono::seconds(10)) != std::future_status::ready;
  EXPECT_FALSE(waits);
  while (why.wait_for(std::chrono::milliseconds(10)) != std::future_status::ready) {
    for (const std::string& pipe : pipes) {
      close(open(pipe.c_str(), O_WRONLY | O_NONBLOCK));
    }
  }
  EXPECT_NE(why.get().find("there are no plans in"), std::string::npos);
}

TEST_F(PlanFilesTest, LeavesGivenOnesAsTheyAre) {
  files().write("conv a", std::string(1000, 'p'));
  const fs::path path = written().at(0);
  fs::resize_file(path, 500);
  const auto before = fs::last_write_time(path);
  auto plans = given();
  EXPECT_EQ(plans.read("conv a"), std::nullopt);
  EXPECT_EQ(plans.read("conv a"), std::nullopt);
  EXPECT_EQ(warnings_.size(), 1U);
  EXPECT_EQ(written(), std::vector{path});
  EXPECT_EQ(fs::last_write_time(path), before);
  files().write("conv a", "plan");
  const auto longAgo = before - std::chrono::hours(1);
  fs::last_write_time(path, longAgo);
  EXPECT_EQ(plans.read("conv a"), "plan");
  EXPECT_EQ(fs::last_write_time(path), longAgo);
}

TEST_F(PlanFilesTest, ClearsAwayWhatAProcessThatEndedHasLeft) {
  files().write("conv a", "plan");
  const fs::path old = folder_ / "0123456789abcdef.plan.1-0.new";
  const fs::path current = folder_ / "0123456789abcdef.plan.2-0.new";
  std::ofstream(old) << "half a pl";
  std::ofstream(current) << "half a pl";
  fs::last_write_time(old, fs::file_time_type::clock::now() - std::chrono::hours(2));
  files().write("conv b", "plan");
  EXPECT_FALSE(fs::exists(old));
  EXPECT_TRUE(fs::exists(current)) << "another process may be writing it";
}

class PlanFolderTest : public testing::Test {
 protected:
  PlanFolderTest() {
    for (const char* name : {"CUDNN_RESNET_CACHE", "XDG_CACHE_HOME", "HOME"}) {
      const char* value = std::getenv(name);
      former_[name] = value != nullptr ? std::optional<std::string>(value) : std::nullopt;
      unsetenv(name);
    }
  }
  ~PlanFolderTest() override {
    for (const auto& [name, value] : former_) {
      value ? setenv(name.c_str(), value->c_str(), 1) : unsetenv(name.c_str());
    }
  }

 private:
  std::map<std::string, std::optional<std::string>> former_;
};

TEST_F(PlanFolderTest, IsInTheHomeOfTheUserWhereNothingNamesIt) {
  const passwd* user = getpwuid(geteuid());
  ASSERT_NE(user, nullptr);
  EXPECT_EQ(defaultPlanFolder(), fs::path(user->pw_dir) / ".cache/cudnn-resnet/plans");
}

TEST_F(PlanFolderTest, IsWhereTheEnvironmentSays) {
  setenv("HOME", "/home/someone", 1);
  EXPECT_EQ(defaultPlanFolder(), "/home/someone/.cache/cudnn-resnet/plans");
  setenv("XDG_CACHE_HOME", "/caches", 1);
  EXPECT_EQ(defaultPlanFolder(), "/caches/cudnn-resnet/plans");
  setenv("CUDNN_RESNET_CACHE", "mine", 1);
  EXPECT_EQ(defaultPlanFolder(), "mine/plans");
}

TEST_F(PlanFolderTest, IsNoneWhereHomeIsNoAbsolutePath) {
  for (const char* home : {"", "somewhere"}) {
    setenv("HOME", home, 1);
    setenv("XDG_CACHE_HOME", "relative", 1);
    EXPECT_EQ(defaultPlanFolder(), fs::path());
  }
}

}  // namespace
}  // namespace cudnn_resnet::cuda
