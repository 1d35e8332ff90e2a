// GPUs that plans can be made for without having one.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cudnn_resnet::cuda {

// The properties of a GPU by its name ("h200"), as Target takes them; none for a name that is not known.
[[nodiscard]] std::optional<std::string> devicePreset(std::string_view name);
[[nodiscard]] std::vector<std::string_view> devicePresetNames();

}  // namespace cudnn_resnet::cuda
