#include "cuda/plan-files.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

namespace cudnn_resnet::cuda {
namespace {

namespace fs = std::filesystem;

// The first word of every file; another number is another format.
constexpr std::string_view magic = "cudnn-resnet-plan-1";
constexpr const char* extension = ".plan";
constexpr const char* unfinished = ".new";

// FNV-1a: names files and finds damage, and is no protection against forgery.
uint64_t hash(std::string_view bytes) {
  uint64_t value = 0xcbf29ce484222325;
  for (const char byte : bytes) {
    value = (value ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  }
  return value;
}

std::string hexadecimal(uint64_t value) {
  std::string digits(16, '0');
  for (size_t i = digits.size(); i-- > 0; value >>= 4U) {
    digits[i] = "0123456789abcdef"[value & 15U];
  }
  return digits;
}

fs::path variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

// As Node's os.homedir(), by which lib/weights/cache-folder.ts goes; empty where this user has none.
fs::path home() {
  if (std::getenv("HOME") != nullptr) {
    return variable("HOME");
  }
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 16384> texts{};
  const int status = getpwuid_r(geteuid(), &entry, texts.data(), texts.size(), &found);
  return status == 0 && found != nullptr ? found->pw_dir : "";
}

// The lines before the plan: magic, identity, graph, the plan's hash.
std::string header(const std::string& identity, const std::string& graph, const std::string& plan) {
  return std::string(magic) + "\n" + identity + "\n" + graph + "\n" + hexadecimal(hash(plan)) + "\n";
}

}  // namespace

PlanFiles::PlanFiles(fs::path folder, std::string identity, std::function<void(const std::string&)> warn,
                     Use use, uint64_t mostBytes)
    : folder_(std::move(folder)),
      identity_(std::move(identity)),
      warn_(std::move(warn)),
      use_(use),
      mostBytes_(mostBytes) {}

fs::path PlanFiles::file(const std::string& graph) const {
  return folder_ / (hexadecimal(hash(identity_ + "\n" + graph)) + extension);
}

void PlanFiles::warnOnce(const std::string& message) {
  if (!std::exchange(warned_, true)) {
    warn_(message);
  }
}

std::string PlanFiles::unfit() const {
  std::set<std::string> others;
  std::error_code error;
  for (auto entry = fs::directory_iterator(folder_, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    std::error_code gone;
    if (entry->path().extension() != extension || !entry->is_regular_file(gone)) {
      continue;  // to open a named pipe would wait for who writes to it
    }
    std::string first;
    std::string identity;
    std::ifstream in(entry->path(), std::ios::binary);
    if (!std::getline(in, first) || !std::getline(in, identity) || first != magic) {
      continue;
    }
    if (identity == identity_) {
      return {};
    }
    others.insert(identity);
  }
  if (others.empty()) {
    return "there are no plans in " + folder_.string() + "; they are compiled where they are needed";
  }
  std::string list;
  for (const std::string& other : others) {
    list += (list.empty() ? "" : " and ") + ("'" + other + "'");
  }
  return "the plans in " + folder_.string() + " are for " + list + ", and this is '" + identity_ +
         "': they are not used, and are compiled anew";
}

std::optional<std::string> PlanFiles::read(const std::string& graph) {
  const fs::path path = file(graph);
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    return std::nullopt;
  }
  const std::string content{std::istreambuf_iterator<char>(in), {}};
  size_t end = 0;
  for (int line = 0; line < 4 && end != std::string::npos; ++line) {
    end = content.find('\n', end);
    end += end != std::string::npos ? 1 : 0;
  }
  std::string plan = end != std::string::npos ? content.substr(end) : std::string();
  if (plan.empty() || content.substr(0, end) != header(identity_, graph, plan)) {
    discard(graph, "is damaged or of another version");
    return std::nullopt;
  }
  if (use_ == Use::Given) {
    return plan;
  }
  std::error_code ignored;
  fs::last_write_time(path, fs::file_time_type::clock::now(), ignored);  // the age that makeRoom() goes by
  return plan;
}

void PlanFiles::discard(const std::string& graph, const std::string& why) {
  const fs::path path = file(graph);
  warnOnce("the plan " + path.string() + " " + why + "; it is compiled again");
  if (use_ == Use::Cache) {
    std::error_code ignored;
    fs::remove(path, ignored);
  }
}

void PlanFiles::write(const std::string& graph, const std::string& plan) {
  static std::atomic<unsigned> counter{0};
  std::error_code error;
  fs::create_directories(folder_, error);
  const fs::path path = file(graph);
  const fs::path temporary =
      path.string() + "." + std::to_string(getpid()) + "-" + std::to_string(counter++) + unfinished;
  std::ofstream out(temporary, std::ios::binary);
  out << header(identity_, graph, plan) << plan;
  out.close();
  error.clear();
  if (out) {
    fs::rename(temporary, path, error);
  }
  if (!out || error) {
    fs::remove(temporary, error);
    warnOnce("plans of cuDNN cannot be kept in " + folder_.string() +
             ": check the folder, its permissions and its free space, or name another");
    return;
  }
  // Looking at all files costs more than writing one.
  unaccounted_ += plan.size();
  if (unaccounted_ >= mostBytes_ / 32) {
    makeRoom();
    unaccounted_ = 0;
  }
}

void PlanFiles::makeRoom() {
  struct Entry {
    fs::file_time_type used;
    uint64_t bytes;
    fs::path path;
  };
  std::vector<Entry> entries;
  uint64_t total = 0;
  const auto abandoned = fs::file_time_type::clock::now() - std::chrono::hours(1);
  std::error_code error;
  for (auto entry = fs::directory_iterator(folder_, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    std::error_code gone;  // another process may delete at the same time
    const uint64_t bytes = entry->file_size(gone);
    const auto used = entry->last_write_time(gone);
    if (gone) {
      continue;
    }
    if (entry->path().extension() == extension) {
      entries.push_back({used, bytes, entry->path()});
      total += bytes;
    } else if (entry->path().extension() == unfinished && used < abandoned) {
      fs::remove(entry->path(), gone);  // a process ended while it wrote
    }
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.used < b.used; });
  for (const Entry& entry : entries) {
    if (total <= mostBytes_) {
      return;
    }
    fs::remove(entry.path, error);
    total -= entry.bytes;
  }
}

std::string planIdentity(const std::string& cudnnVersion, size_t cudaVersion, int capability,
                         int multiprocessors) {
  return "cudnn " + cudnnVersion + " cuda " + std::to_string(cudaVersion) + " sm_" +
         std::to_string(capability) + " multiprocessors " + std::to_string(multiprocessors);
}

fs::path defaultPlanFolder() {
  if (const fs::path chosen = variable("CUDNN_RESNET_CACHE"); !chosen.empty()) {
    return chosen / "plans";
  }
  if (const fs::path cache = variable("XDG_CACHE_HOME"); cache.is_absolute()) {
    return cache / "cudnn-resnet" / "plans";
  }
  const fs::path folder = home();
  return folder.is_absolute() ? folder / ".cache" / "cudnn-resnet" / "plans" : fs::path();
}

}  // namespace cudnn_resnet::cuda
