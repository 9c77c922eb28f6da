#include <cmath>
#include <nlohmann/json.hpp>

#include "convert/native/file.h"
#include "core/node.h"
#include "heddle/io.h"

namespace heddle::convert::native {
namespace {

using Json = nlohmann::json;

template <class V>
Json list_of(const V& values) {
  Json out = Json::array();
  for (int64_t v : values) out.push_back(v);
  return out;
}

Json json_of(const Aval& a) {
  return {{"shape", list_of(a.shape)}, {"dtype", std::string(name_of(a.dtype))}};
}

Json json_of(const AttributeValue& value) {
  return std::visit(
      [](const auto& v) -> Json {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, Dtype>) {
          return std::string(name_of(v));
        } else if constexpr (std::is_same_v<T, double>) {
          if (std::isfinite(v)) return v;
          return std::isnan(v) ? "nan" : v > 0 ? "inf" : "-inf";
        } else if constexpr (requires { v.begin(); } && !std::is_same_v<T, std::string>) {
          return list_of(v);
        } else {
          return v;
        }
      },
      value);
}

// Names of the constants: one array has one, in however many functions it occurs.
class Names {
 public:
  std::map<std::string, Array> tensors;

  const std::string& of(const Array& a) {
    auto [at, is_new] = names_.try_emplace(a.node(), fmt::format("constant.{}", names_.size()));
    if (is_new) tensors[at->second] = a;
    return at->second;
  }

 private:
  std::unordered_map<const Node*, std::string> names_;
};

template <class Pairs>
Json pairs_of(const Pairs& pairs) {
  Json out = Json::array();
  for (auto [a, b] : pairs) out.push_back({a, b});
  return out;
}

Json tree_of(const std::string& text) { return text.empty() ? Json() : Json::parse(text); }

Json input_names_of(const Calls& f) {
  Json out = Json::array();
  for (int i = 0; i < f.input_count && !f.names.empty(); i++) out.push_back(f.name_of(i));
  return out;
}

Json json_of(const Calls& f, Names& names) {
  std::vector<int> number(f.slots.size(), 0);
  int next = 0;
  Json inputs = Json::array(), constants = Json::array(), nodes = Json::array();
  for (int i = 0; i < f.input_count; i++) {
    number[static_cast<size_t>(i)] = next++;
    inputs.push_back(json_of(f.slots[static_cast<size_t>(i)]));
  }
  for (const auto& [slot, array] : f.constants) {
    number[static_cast<size_t>(slot)] = next++;
    constants.push_back(names.of(array));
  }
  auto numbers = [&](const std::vector<int>& slots) {
    Json out = Json::array();
    for (int s : slots) out.push_back(number[static_cast<size_t>(s)]);
    return out;
  };
  for (const Call& c : f.calls) {
    Json attributes = Json::object(), results = Json::array(), following = Json::array();
    for (const auto& [name, value] : c.attributes) attributes[name] = json_of(value);
    for (int k = 0; k < c.output_count; k++) {
      auto slot = static_cast<size_t>(c.first_output + k);
      number[slot] = next++;
      results.push_back(json_of(f.slots[slot]));
    }
    for (const FollowingNumber& n : c.following) {
      following.push_back({c.attributes[n.attribute].first, n.element, n.rest, pairs_of(n.terms)});
    }
    Json node{{"op", c.name},
              {"inputs", numbers(c.inputs)},
              {"attributes", std::move(attributes)},
              {"results", std::move(results)}};
    if (!following.empty()) node["following"] = std::move(following);
    if (const Origin& o = c.origin; !(o == Origin{})) {
      node["origin"] = {o.name, o.module_path, o.location};
    }
    nodes.push_back(std::move(node));
  }
  Json dimensions = Json::array();
  for (const Dimension& d : f.dimensions) {
    dimensions.push_back({{"name", d.name}, {"axes", pairs_of(d.axes)}, {"least", d.least}});
  }
  return {{"keywords", f.keywords},
          {"dimensions", std::move(dimensions)},
          {"fixed", pairs_of(f.fixed)},
          {"needed", pairs_of(f.needed)},
          {"follows_sizes", f.follows_sizes},
          {"inputs", std::move(inputs)},
          {"constants", std::move(constants)},
          {"nodes", std::move(nodes)},
          {"outputs", numbers(f.outputs)},
          {"input_names", input_names_of(f)},
          {"input_structure", tree_of(f.input_structure)},
          {"structure", tree_of(f.structure)}};
}

}  // namespace

void write(const FunctionFile& file, const WriteFunction& sink) {
  Names names;
  Json functions = Json::array();
  for (const Calls& f : file.functions) functions.push_back(json_of(f, names));
  Json program = {{"shapeless", file.shapeless},
                  {"metadata", file.metadata},
                  {"functions", std::move(functions)}};
  std::string text;
  try {
    text = program.dump();
  } catch (const Json::exception&) {
    throw std::invalid_argument("[export_function] Names and metadata must be valid UTF-8.");
  }
  save_safetensors(sink, names.tensors,
                   {{"format", format_name},
                    {"version", std::to_string(format_version)},
                    {"program", std::move(text)}});
}

}  // namespace heddle::convert::native
