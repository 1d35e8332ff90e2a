// A plan's file that holds anything at all is taken for what was written, or for a plan that is not there;
// and what is written after it is read back.
#include "cuda/plan-files.h"

#include <unistd.h>

#include <fstream>
#include <iterator>
#include <string>

#include "require.h"

namespace {

namespace fs = std::filesystem;
using cudnn_resnet::fuzz::require;

fs::path folder() {
  static const struct Folder {
    fs::path path = fs::temp_directory_path() / ("cudnn-resnet-fuzz-" + std::to_string(getpid()));
    Folder() { fs::create_directories(path); }
    ~Folder() { fs::remove_all(path); }
  } folder;
  return folder.path;
}

fs::path onlyFile() {
  fs::path found;
  for (const auto& entry : fs::directory_iterator(folder())) {
    require(found.empty());
    found = entry.path();
  }
  return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using cudnn_resnet::cuda::PlanFiles;
  const std::string identity = cudnn_resnet::cuda::planIdentity("9.24.0", 13000, 90, 132);
  const std::string graph = "a graph";
  const std::string plan = "a plan\nof two lines";
  int warnings = 0;
  PlanFiles files(folder(), identity, [&](const std::string&) { ++warnings; });

  files.write(graph, plan);
  const fs::path path = onlyFile();
  std::string whole;
  {
    std::ifstream in(path, std::ios::binary);
    whole.assign(std::istreambuf_iterator<char>(in), {});
  }
  // The first byte says how: the bytes alone, put over the file's end, or behind so much of it.
  std::string content(reinterpret_cast<const char*>(data), size);
  if (size > 1 && data[0] % 3 != 0) {
    content = whole.substr(0, data[1] % (whole.size() + 1)) + content.substr(2);
  }
  { std::ofstream(path, std::ios::binary) << content; }
  const auto read = files.read(graph);
  require(read ? content.ends_with(*read) && !read->empty() && warnings == 0 : warnings <= 1);
  require(read || !fs::exists(path));
  require(!read || *read == plan || content != whole);

  files.write(graph, plan);
  require(files.read(graph) == plan);
  return 0;
}
