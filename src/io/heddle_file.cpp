#include "io/heddle_file.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "heddle/io.h"
#include "io/reader.h"

namespace heddle::io {
namespace {

using Json = nlohmann::json;

constexpr const char* format_name = "heddle";
// Version 2 holds operations with their fields. Version 1 held the rows of primitives.h.
constexpr int format_version = 2;
constexpr size_t max_results = 255;
constexpr int64_t lowest = std::numeric_limits<int64_t>::min();
constexpr int64_t highest = std::numeric_limits<int64_t>::max();
constexpr int max_depth = 200;

// ---------------------------------------------------------------------------------------------
// Writing

template <class V>
Json list_of(const V& values) {
  Json out = Json::array();
  for (int64_t v : values) out.push_back(v);
  return out;
}

Json json_of(const Aval& a) {
  return {{"shape", list_of(a.shape)}, {"dtype", std::string(name_of(a.dtype))}};
}

Json json_of(const ExportValue& value) {
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

Json json_of(const TracedFunction& f, Names& names) {
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
  for (const Record& r : f.records) {
    Json attributes = Json::object(), results = Json::array();
    for (const auto& [name, value] : r.attributes()) attributes[name] = json_of(value);
    for (int k = 0; k < r.output_count; k++) {
      auto slot = static_cast<size_t>(r.first_output + k);
      number[slot] = next++;
      results.push_back(json_of(f.slots[slot]));
    }
    nodes.push_back({{"op", r.name()},
                     {"inputs", numbers(r.inputs)},
                     {"attributes", std::move(attributes)},
                     {"results", std::move(results)}});
  }
  Json fixed = Json::array();
  for (auto [input, axis] : f.fixed) fixed.push_back({input, axis});
  return {{"keywords", f.keywords},
          {"fixed", std::move(fixed)},
          {"inputs", std::move(inputs)},
          {"constants", std::move(constants)},
          {"nodes", std::move(nodes)},
          {"outputs", numbers(f.outputs)},
          {"structure", f.structure.empty() ? Json() : Json::parse(f.structure)}};
}

// ---------------------------------------------------------------------------------------------
// Reading

class ProgramReader {
 public:
  ProgramReader(const Container& container, const std::string& label)
      : tensors_(container.tensors), label_(label) {}

  void set_version(int version) { version_ = version; }

  FunctionFile read(const std::string& text) {
    // The parser takes a null for the end, whatever follows it.
    if (text.find('\0') != std::string::npos) refuse("program", "it holds a null character");
    Json program;
    std::vector<std::set<std::string>> keys;
    auto check = [&](int depth, Json::parse_event_t event, Json& value) {
      if (depth > max_depth)
        refuse("program", fmt::format("nested deeper than {} levels", max_depth));
      if (event == Json::parse_event_t::object_start) keys.emplace_back();
      if (event == Json::parse_event_t::object_end) keys.pop_back();
      if (event == Json::parse_event_t::key &&
          !keys.back().insert(value.get<std::string>()).second) {
        refuse("program", "a key occurs twice in one object");
      }
      return true;
    };
    try {
      program = Json::parse(text, check);
    } catch (const Json::exception& e) {
      refuse("program", fmt::format("not valid JSON ({})", e.id));
    }
    FunctionFile file;
    file.version = std::to_string(version_);
    file.shapeless = flag(program, "shapeless");
    file.metadata = string(program, "metadata");
    const Json& functions = array(program, "functions");
    for (size_t k = 0; k < functions.size(); k++) {
      place_ = fmt::format("function {}", k);
      file.functions.push_back(function(functions[k]));
    }
    return file;
  }

  [[noreturn]] void refuse(const std::string& field, const std::string& problem) const {
    throw UnsafeFileError(fmt::format("[import_function] {}: offset 8, {}{}{}: {}.", label_, place_,
                                      place_.empty() ? "" : ", ", field, problem));
  }

 private:
  const Json& member(const Json& object, const char* name) const {
    if (!object.is_object()) refuse(name, "an object is wanted around it");
    auto at = object.find(name);
    if (at == object.end()) refuse(name, "it is missing");
    return *at;
  }
  const Json& array(const Json& object, const char* name) const {
    const Json& v = member(object, name);
    if (!v.is_array()) refuse(name, "a list is wanted");
    return v;
  }
  bool flag(const Json& object, const char* name) const {
    const Json& v = member(object, name);
    if (!v.is_boolean()) refuse(name, "true or false is wanted");
    return v.get<bool>();
  }
  std::string text_of(const Json& v, const char* name) const {
    if (!v.is_string()) refuse(name, "a text is wanted");
    return v.get<std::string>();
  }
  std::string string(const Json& object, const char* name) const {
    return text_of(member(object, name), name);
  }
  int64_t integer(const Json& v, const char* name, int64_t low, int64_t high) const {
    bool fits = v.is_number_unsigned()
                    ? v.get<uint64_t>() <= static_cast<uint64_t>(std::max<int64_t>(high, 0))
                    : v.is_number_integer();
    int64_t n = fits ? v.get<int64_t>() : 0;
    if (!fits || n < low || n > high) {
      refuse(name, fmt::format("an integer from {} to {} is wanted", low, high));
    }
    return n;
  }
  Dtype dtype(const Json& v, const char* name) const {
    std::string text = text_of(v, name);
    for (int i = 0; i < dtype_count; i++) {
      if (name_of(static_cast<Dtype>(i)) == text) return static_cast<Dtype>(i);
    }
    refuse(name, "it is no dtype");
  }
  Aval aval(const Json& object) const {
    const Json& sizes = array(object, "shape");
    if (sizes.size() > max_rank) refuse("shape", "it has too many dimensions");
    Aval out;
    for (const Json& d : sizes) out.shape.push_back(integer(d, "shape", 0, max_dimension));
    out.dtype = dtype(member(object, "dtype"), "dtype");
    try {
      check_shape("import_function", out.shape, 8);
    } catch (const std::exception&) {
      refuse("shape", "the product of the dimensions overflows");
    }
    return out;
  }
  int slot(const TracedFunction& f, const Json& v, const char* name) const {
    if (f.slots.empty()) refuse(name, "there are no values yet");
    return static_cast<int>(integer(v, name, 0, static_cast<int64_t>(f.slots.size()) - 1));
  }

  TracedFunction function(const Json& source) {
    const std::string place = place_;
    TracedFunction f;
    for (const Json& k : array(source, "keywords")) f.keywords.push_back(text_of(k, "keywords"));
    for (size_t i = 1; i < f.keywords.size(); i++) {
      if (f.keywords[i - 1] >= f.keywords[i])
        refuse("keywords", "they are not in order or occur twice");
    }
    for (const Json& in : array(source, "inputs")) f.add_slot(aval(in));
    f.input_count = static_cast<int>(f.slots.size());
    if (f.keywords.size() > f.slots.size()) refuse("keywords", "there are more than inputs");
    if (version_ > 1) read_fixed(f, array(source, "fixed"));
    for (const Json& c : array(source, "constants")) {
      auto at = tensors_.find(text_of(c, "constants"));
      if (at == tensors_.end()) refuse("constants", "the file has no tensor of this name");
      const Array& constant = at->second;
      constant
          .eval();  // what is not in memory's own form is fetched once, by the thread that reads
      f.constants.emplace_back(f.add_slot({constant.shape(), constant.dtype()}), constant);
    }
    const Json& nodes = array(source, "nodes");
    for (size_t k = 0; k < nodes.size(); k++) {
      place_ = fmt::format("{}, node {}", place, k);
      f.records.push_back(node(f, nodes[k], k));
    }
    place_ = place;
    for (const Json& o : array(source, "outputs")) f.outputs.push_back(slot(f, o, "outputs"));
    const Json& structure = member(source, "structure");
    if (!structure.is_null()) f.structure = structure.dump();
    return f;
  }

  void read_fixed(TracedFunction& f, const Json& pairs) const {
    for (const Json& pair : pairs) {
      if (!pair.is_array() || pair.size() != 2)
        refuse("fixed", "pairs of input and axis are wanted");
      const auto input = integer(pair[0], "fixed", 0, f.input_count - 1);
      const auto ndim = static_cast<int64_t>(f.slots[static_cast<size_t>(input)].shape.size());
      f.fixed.emplace_back(input, integer(pair[1], "fixed", 0, ndim - 1));
    }
  }

  Record node(TracedFunction& f, const Json& source, size_t position) {
    Record r;
    r.offset = position;
    for (const Json& in : array(source, "inputs")) r.inputs.push_back(slot(f, in, "inputs"));
    const std::string op = string(source, "op");
    const Json& attributes = member(source, "attributes");
    if (version_ == 1 && find_primitive(op)) {
      read_primitive(*find_primitive(op), attributes, r);
    } else if (const OpInfo* info = find_op(op); info && info->make) {
      r.op = made(*info, attributes);
    } else {
      throw std::invalid_argument(
          fmt::format("[import_function] {}: {}: Unable to deserialize primitive {}", label_,
                      place_, printable(op, 64)));
    }
    const Json& results = array(source, "results");
    if (results.empty() || results.size() > max_results)
      refuse("results", "their number is not possible");
    r.first_output = static_cast<int>(f.slots.size());
    r.output_count = static_cast<int>(results.size());
    for (const Json& result : results) f.add_slot(aval(result));
    return r;
  }

  void read_primitive(const Primitive& p, const Json& attributes, Record& r) const {
    r.primitive = &p;
    const int n = static_cast<int>(r.inputs.size());
    if (n < p.min_inputs || (p.max_inputs >= 0 && n > p.max_inputs)) {
      refuse("inputs", fmt::format("{} cannot have {} of them", p.name, n));
    }
    for (const Field& field : p.fields)
      r.state.values.push_back(value(field, member(attributes, field.name)));
    if (attributes.size() != p.fields.size()) refuse("attributes", "some are not known");
  }

  OpRef made(const OpInfo& info, const Json& attributes) const {
    Attributes values;
    for (const FieldInfo& field : info.fields)
      values.emplace_back(field.name, value(field, member(attributes, field.name)));
    if (attributes.size() != info.fields.size()) refuse("attributes", "some are not known");
    try {
      return info.make(values);
    } catch (const std::invalid_argument& e) {
      refuse("attributes", e.what());
    }
  }

  AttributeValue value(const FieldInfo& field, const Json& v) const {
    switch (field.kind) {
      case FieldKind::boolean:
        return value({field.name, Kind::boolean}, v);
      case FieldKind::integer:
        return value({field.name, Kind::integer}, v);
      case FieldKind::wide:
        return integer(v, field.name, lowest, highest);
      case FieldKind::real32:
      case FieldKind::real64:
        return value({field.name, Kind::real64}, v);
      case FieldKind::dtype:
        return dtype(v, field.name);
      case FieldKind::text:
        return text_of(v, field.name);
      case FieldKind::choice:
        // Version 1 counted.
        if (version_ == 1)
          return field.choices[static_cast<size_t>(
              integer(v, field.name, 0, static_cast<int64_t>(field.choices.size()) - 1))];
        return text_of(v, field.name);
      case FieldKind::sizes:
        return value({field.name, Kind::strides}, v);
      case FieldKind::axes:
        return value({field.name, Kind::axes}, v);
    }
    refuse(field.name, "it is of no known kind");
  }

  ExportValue value(const Field& field, const Json& v) const {
    constexpr int64_t lowest32 = std::numeric_limits<int32_t>::min();
    constexpr int64_t highest32 = std::numeric_limits<int32_t>::max();
    auto list = [&](auto out, int64_t low, int64_t high) {
      if (!v.is_array()) refuse(field.name, "a list is wanted");
      for (const Json& e : v) out.push_back(integer(e, field.name, low, high));
      return out;
    };
    switch (field.kind) {
      case Kind::boolean:
        if (!v.is_boolean()) refuse(field.name, "true or false is wanted");
        return v.get<bool>();
      case Kind::integer:
        return integer(v, field.name, lowest32, highest32);
      case Kind::size:
        return integer(v, field.name, 0, highest);
      case Kind::choice:
        return integer(v, field.name, 0, field.choices - 1);
      case Kind::real32:
      case Kind::real64: {
        constexpr double infinity = std::numeric_limits<double>::infinity();
        if (v.is_number()) return v.get<double>();
        if (v == "nan") return std::numeric_limits<double>::quiet_NaN();
        if (v == "inf" || v == "-inf") return v == "inf" ? infinity : -infinity;
        refuse(field.name, "a number is wanted");
      }
      case Kind::dtype:
        return dtype(v, field.name);
      case Kind::text:
        return text_of(v, field.name);
      case Kind::shape:
      case Kind::strides:
        return list(Shape(), lowest, highest);
      case Kind::axes:
        return list(std::vector<int64_t>(), lowest32, highest32);
      case Kind::sizes:
        return list(std::vector<int64_t>(), 0, highest);
    }
    refuse(field.name, "it is of no known kind");
  }

  const std::unordered_map<std::string, Array>& tensors_;
  const std::string& label_;
  std::string place_;
  int version_ = format_version;
};

}  // namespace

void write_heddle(const FunctionFile& file, const WriteFunction& sink) {
  Names names;
  Json functions = Json::array();
  for (const TracedFunction& f : file.functions) functions.push_back(json_of(f, names));
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

FunctionFile read_heddle(const Container& container, const std::string& label) {
  ProgramReader reader(container, label);
  auto text = [&](const char* key) -> const std::string& {
    auto at = container.metadata.find(key);
    if (at == container.metadata.end())
      reader.refuse(key, "it is missing: the file holds no program");
    return at->second;
  };
  if (text("format") != format_name) reader.refuse("format", "it is not that of programs");
  const std::string& version = text("version");
  if (version != "1" && version != std::to_string(format_version)) {
    reader.refuse("version", fmt::format("this heddle reads 1 to {}", format_version));
  }
  reader.set_version(version == "1" ? 1 : format_version);
  return reader.read(text("program"));
}

}  // namespace heddle::io
