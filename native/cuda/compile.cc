#include "cuda/compile.h"

// The header comes with warnings of its own.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#include <cudnn_frontend.h>
#pragma GCC diagnostic pop

#include <algorithm>
#include <new>

#include "core/error.h"
#include "cuda/signal-handlers.h"

namespace cudnn_resnet::cuda {

namespace fe = cudnn_frontend;

struct Target::Properties {
  std::shared_ptr<fe::DeviceProperties> device = std::make_shared<fe::DeviceProperties>();
};

namespace {

using TensorPtr = std::shared_ptr<fe::graph::Tensor_attributes>;

// The plans are protected in the frontend, which has no other way to their descriptors.
class Graph : public fe::graph::Graph {
 public:
  [[nodiscard]] std::shared_ptr<fe::ExecutionPlan> plan(int64_t index) const {
    return plans.execution_plans.at(static_cast<size_t>(index));
  }
  // What must be bound before the graph can run.
  [[nodiscard]] const std::unordered_set<int64_t>& unbound() const { return variant_pack_uids; }
};

void check(fe::error_t status) {
  if (status.is_bad()) {
    throw Error(ErrorCode::Backend, status.get_message());
  }
}

fe::DataType_t dataType(Math math) {
  switch (math) {
    case Math::Float16:
      return fe::DataType_t::HALF;
    case Math::BFloat16:
      return fe::DataType_t::BFLOAT16;
    case Math::Float32:
    case Math::TF32:
      return fe::DataType_t::FLOAT;
  }
  throw Error(ErrorCode::Native, "a kind of arithmetic without a name");
}

// How far from each other neighbours lie, in each dimension.
using Strides = std::vector<int64_t>(const Shape& shape);

std::vector<int64_t> inCOrder(const Shape& shape) {
  return {shape[1] * shape[2] * shape[3], shape[2] * shape[3], shape[3], 1};
}

std::vector<int64_t> channelsLast(const Shape& shape) {
  return {shape[1] * shape[2] * shape[3], 1, shape[1] * shape[3], shape[1]};
}

fe::graph::Tensor_attributes describe(Uid uid, const Shape& shape, fe::DataType_t type,
                                      Strides& strides = channelsLast) {
  return fe::graph::Tensor_attributes()
      .set_uid(static_cast<int64_t>(uid))
      .set_dim(shape)
      .set_stride(strides(shape))
      .set_data_type(type);
}

void setOutput(const TensorPtr& tensor, Uid uid, const Shape& shape, fe::DataType_t type,
               Strides& strides = channelsLast) {
  tensor->set_output(true)
      .set_uid(static_cast<int64_t>(uid))
      .set_dim(shape)
      .set_stride(strides(shape))
      .set_data_type(type);
}

fe::graph::Pointwise_attributes pointwise(fe::PointwiseMode_t mode) {
  return fe::graph::Pointwise_attributes().set_mode(mode).set_compute_data_type(fe::DataType_t::FLOAT);
}

TensorPtr activated(Graph& graph, Activation activation, const TensorPtr& x) {
  switch (activation) {
    case Activation::None:
      return x;
    case Activation::Relu:
      return graph.pointwise(x, pointwise(fe::PointwiseMode_t::RELU_FWD));
    case Activation::Relu6:
      break;  // see isFused()
    case Activation::Sigmoid:
      return graph.pointwise(x, pointwise(fe::PointwiseMode_t::SIGMOID_FWD));
    case Activation::Tanh:
      return graph.pointwise(x, pointwise(fe::PointwiseMode_t::TANH_FWD));
    case Activation::Gelu:
      return graph.pointwise(x, pointwise(fe::PointwiseMode_t::GELU_FWD));
    case Activation::Swish:
      return graph.pointwise(x, pointwise(fe::PointwiseMode_t::SWISH_FWD).set_swish_beta(1));
  }
  throw Error(ErrorCode::Native, "an activation that is not fused");
}

void build(Graph& graph, const ConvGraph& conv) {
  const auto type = dataType(conv.math);
  const auto& a = conv.attributes;
  Strides& strides = convolvesChannelsLast(conv.math) ? channelsLast : inCOrder;
  const Shape shape = outputShape(conv);
  const auto x = graph.tensor(describe(Uid::X, conv.x, type, strides));
  const auto weight = graph.tensor(describe(Uid::Weight, conv.weight, type, strides));
  auto y = graph.conv_fprop(x, weight,
                            fe::graph::Conv_fprop_attributes()
                                .set_padding({a.padding[0], a.padding[1]})
                                .set_stride({a.stride[0], a.stride[1]})
                                .set_dilation({a.dilation[0], a.dilation[1]})
                                .set_compute_data_type(fe::DataType_t::FLOAT));
  // Dimensions that the frontend would infer, were it not for groups.
  y->set_dim(shape).set_stride(strides(shape));
  // In the order, and with the bias, of cuDNN's own convolution with a bias and an activation: for others it
  // has no kernels that are compiled already, and for all shapes the same choice of those that it would
  // compile.
  if (conv.add) {
    const auto add = graph.tensor(describe(Uid::Add, shape, type, strides));
    y = graph.pointwise(y, add, pointwise(fe::PointwiseMode_t::ADD));
  }
  if (conv.bias) {
    const auto bias = graph.tensor(describe(Uid::Bias, {1, shape[1], 1, 1}, type, strides));
    y = graph.pointwise(y, bias, pointwise(fe::PointwiseMode_t::ADD));
  }
  setOutput(activated(graph, a.activation, y), Uid::Y, shape, type, strides);
}

void build(Graph& graph, const BatchNormGraph& norm) {
  const auto type = dataType(norm.math);
  const Shape perChannel{1, norm.x[1], 1, 1};
  const auto x = graph.tensor(describe(Uid::X, norm.x, type));
  const auto scale = graph.tensor(describe(Uid::Scale, perChannel, fe::DataType_t::FLOAT));
  const auto bias = graph.tensor(describe(Uid::Bias, perChannel, fe::DataType_t::FLOAT));
  auto epsilon =
      graph.tensor(describe(Uid::Epsilon, {1, 1, 1, 1}, fe::DataType_t::FLOAT).set_is_pass_by_value(true));
  const auto outputs = graph.batchnorm(
      x, scale, bias,
      fe::graph::Batchnorm_attributes().set_epsilon(epsilon).set_compute_data_type(fe::DataType_t::FLOAT));
  setOutput(outputs[0], Uid::Y, norm.x, type);
  setOutput(outputs[1], Uid::Mean, perChannel, fe::DataType_t::FLOAT);
  setOutput(outputs[2], Uid::InverseDeviation, perChannel, fe::DataType_t::FLOAT);
}

Math mathOf(const GraphDescription& description) {
  return std::visit([](const auto& graph) { return graph.math; }, description);
}

// Results must not differ from run to run, nor be less exact than the dtype promises; and what is not finite
// must stay within the windows that see it, which transforms of whole tiles do not keep to.
std::vector<fe::NumericalNote_t> unwanted(Math math) {
  using Note = fe::NumericalNote_t;
  std::vector<Note> notes{Note::NONDETERMINISTIC,
                          Note::REDUCED_PRECISION_REDUCTION,
                          Note::DOWN_CONVERT_INPUTS,
                          Note::FFT,
                          Note::WINOGRAD,
                          Note::WINOGRAD_TILE_4x4,
                          Note::WINOGRAD_TILE_6x6,
                          Note::WINOGRAD_TILE_13x13};
  if (math == Math::Float32) {
    notes.push_back(Note::TENSOR_CORE);
  }
  return notes;
}

// What each engine said that cuDNN's heuristics named, or that was ruled out ("Deselecting").
std::string joined(const std::vector<std::string>& refusals) {
  std::string list;
  for (const std::string& refusal : refusals) {
    list += (list.empty() ? "" : "; ") + refusal;
  }
  return list.empty() ? "its heuristics name no engine" : list;
}

std::vector<CompiledGraph> compiled(const Target& target, const GraphDescription& description, size_t most) {
  const auto graph = std::make_shared<Graph>();
  graph->set_intermediate_data_type(fe::DataType_t::FLOAT).set_compute_data_type(fe::DataType_t::FLOAT);
  std::visit([&](const auto& part) { build(*graph, part); }, description);

  if (target.properties()) {
    graph->set_device_properties(target.properties()->device);
  }
  check(graph->validate());
  check(target.properties() ? graph->build_operation_graph() : graph->build_operation_graph(target.handle()));
  // What is fallen back on is not timed: cuDNN names it for computing the graph at all, not for being fast.
  std::vector<fe::HeurMode_t> modes{fe::HeurMode_t::A};
  if (most == 1) {
    modes.push_back(fe::HeurMode_t::FALLBACK);
  }
  check(graph->create_execution_plans(modes));
  graph->deselect_numeric_notes(unwanted(mathOf(description)));
  for (const int64_t uid : graph->unbound()) {
    if (uid > static_cast<int64_t>(Uid::InverseDeviation)) {
      throw Error(ErrorCode::Native, "the graph has a tensor that nothing is bound to");
    }
  }

  // Not check_support(), which asks CUDA for a device; building finds out as well.
  std::vector<CompiledGraph> results;
  std::vector<std::string> refusals;
  for (int64_t index = 0; index < graph->get_execution_plan_count() && results.size() < most; ++index) {
    if (fe::error_t status = graph->build_plan_at_index(index); status.is_bad()) {
      if (std::ranges::find(refusals, status.get_message()) == refusals.end()) {
        refusals.push_back(status.get_message());
      }
      continue;
    }
    const auto plan = graph->plan(index);
    results.push_back({plan, plan->get_raw_desc(), plan->getWorkspaceSize(), plan->getTag()});
  }
  if (results.empty()) {
    if (most > 1) {
      return compiled(target, description, 1);
    }
    throw Error(ErrorCode::Backend, joined(refusals));
  }
  return results;
}

}  // namespace

Target::Target(const std::string& deviceProperties) {
  const auto properties = std::make_shared<Properties>();
  check(properties->device->deserialize({deviceProperties.begin(), deviceProperties.end()}));
  properties_ = properties;
}

void* Target::descriptor() const noexcept { return properties_ ? properties_->device->get_ptr() : nullptr; }

std::string describeDevice(int device) {
  fe::DeviceProperties properties;
  std::vector<uint8_t> json;
  check(properties.set_device_id(device).build());
  check(properties.serialize(json));
  return {json.begin(), json.end()};
}

std::optional<std::string> CompiledGraph::serialize() const {
  try {
    return static_cast<const fe::ExecutionPlan*>(owner.get())->getJsonRepresentation();
  } catch (const fe::cudnnException&) {
    return std::nullopt;
  }
}

std::vector<CompiledGraph> compile(const Target& target, const GraphDescription& description, size_t most) {
  const KeptSignalHandlers kept;
  try {
    return compiled(target, description, most);
  } catch (const std::bad_alloc&) {
    throw;  // which says nothing of the graph
  } catch (const std::exception& error) {
    throw Error(ErrorCode::Backend, "cuDNN has no plan for " + text(description) + ": " + error.what());
  }
}

}  // namespace cudnn_resnet::cuda
