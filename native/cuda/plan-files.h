// Plans kept in files, so that the next process does not compile them again. What is in the folder is never
// needed: a file that is damaged, of another version or unreadable is a plan that is not there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace cudnn_resnet::cuda {

class PlanFiles {
 public:
  // A cache of ours, which is written to and held to about `mostBytes`; or a folder that was given, which is
  // only read.
  enum class Use { Cache, Given };

  // `identity` says which library and which kind of device the plans are for. `warn` is told, at most once,
  // of what keeps the files from being used.
  PlanFiles(std::filesystem::path folder, std::string identity, std::function<void(const std::string&)> warn,
            Use use = Use::Cache, uint64_t mostBytes = uint64_t{256} << 20U);

  [[nodiscard]] const std::filesystem::path& folder() const noexcept { return folder_; }

  // Why none of the plans in the folder can be used: there are none, or they are for others. Empty where some
  // can.
  [[nodiscard]] std::string unfit() const;

  [[nodiscard]] std::optional<std::string> read(const std::string& graph);
  // Whole or not at all, whoever else writes; the files longest unused go when there is too much.
  void write(const std::string& graph, const std::string& plan);
  // A plan that was read is not accepted after all.
  void discard(const std::string& graph, const std::string& why);

 private:
  [[nodiscard]] std::filesystem::path file(const std::string& graph) const;
  void warnOnce(const std::string& message);
  void makeRoom();

  std::filesystem::path folder_;
  std::string identity_;
  std::function<void(const std::string&)> warn_;
  Use use_;
  uint64_t mostBytes_;
  uint64_t unaccounted_ = mostBytes_;  // written since all files were looked at, which is never yet
  bool warned_ = false;
};

// Plans are for a version of cuDNN, of the CUDA it was built with, and a kind of GPU. `capability` is 90
// for 9.0.
[[nodiscard]] std::string planIdentity(const std::string& cudnnVersion, size_t cudaVersion, int capability,
                                       int multiprocessors);

// `plans` in the package's cache folder: CUDNN_RESNET_CACHE, else cudnn-resnet in XDG_CACHE_HOME or ~/.cache.
// Empty where there is none of these.
[[nodiscard]] std::filesystem::path defaultPlanFolder();

}  // namespace cudnn_resnet::cuda
