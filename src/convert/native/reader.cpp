#include "io/reader.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "convert/mlxfn/primitives.h"
#include "convert/native/dialect.h"
#include "convert/native/file.h"
#include "heddle/errors.h"
#include "heddle/io.h"

namespace heddle::convert::native {
namespace {

using io::max_rank;
using io::printable;
using Json = nlohmann::json;

constexpr size_t max_results = 255;
constexpr int64_t lowest = std::numeric_limits<int64_t>::min();
constexpr int64_t highest = std::numeric_limits<int64_t>::max();
constexpr int64_t lowest32 = std::numeric_limits<int32_t>::min();
constexpr int64_t highest32 = std::numeric_limits<int32_t>::max();
constexpr int max_depth = 200;

class ProgramReader {
 public:
  ProgramReader(const NamedArrays& tensors, const std::string& label)
      : tensors_(tensors), label_(label) {}

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
    file.dialect = version_ == 1 ? &version_1() : &dialect();
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
  int slot(const Calls& f, const Json& v, const char* name) const {
    if (f.slots.empty()) refuse(name, "there are no values yet");
    return static_cast<int>(integer(v, name, 0, static_cast<int64_t>(f.slots.size()) - 1));
  }

  Calls function(const Json& source) {
    const std::string place = place_;
    Calls f;
    for (const Json& k : array(source, "keywords")) f.keywords.push_back(text_of(k, "keywords"));
    for (size_t i = 1; i < f.keywords.size(); i++) {
      if (f.keywords[i - 1] >= f.keywords[i])
        refuse("keywords", "they are not in order or occur twice");
    }
    for (const Json& in : array(source, "inputs")) f.add_slot(aval(in));
    f.input_count = static_cast<int>(f.slots.size());
    if (f.keywords.size() > f.slots.size()) refuse("keywords", "there are more than inputs");
    if (version_ > 1) f.fixed = axes(f, array(source, "fixed"), "fixed");
    f.needed = version_ > 2 ? axes(f, array(source, "needed"), "needed") : f.fixed;
    f.follows_sizes = version_ > 2 && flag(source, "follows_sizes");
    if (version_ > 2) {
      for (const Json& d : array(source, "dimensions")) {
        f.dimensions.push_back({string(d, "name"), axes(f, array(d, "axes"), "dimensions"),
                                integer(member(d, "least"), "least", 0, max_dimension)});
        if (f.dimensions.back().axes.empty()) refuse("dimensions", "one has no axes");
      }
    }
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
      f.calls.push_back(node(f, nodes[k], k));
    }
    place_ = place;
    for (const Json& o : array(source, "outputs")) f.outputs.push_back(slot(f, o, "outputs"));
    f.structure = tree(source, "structure");
    if (version_ < 3) return f;
    f.input_structure = tree(source, "input_structure");
    for (const Json& name : array(source, "input_names")) {
      f.names.push_back(text_of(name, "input_names"));
    }
    if (f.names.size() > static_cast<size_t>(f.input_count))
      refuse("input_names", "there are more than inputs");
    return f;
  }

  std::string tree(const Json& source, const char* name) const {
    const Json& v = member(source, name);
    return v.is_null() ? "" : v.dump();
  }

  // Pairs of input and axis.
  std::vector<std::pair<int, int>> axes(const Calls& f, const Json& pairs, const char* name) const {
    std::vector<std::pair<int, int>> out;
    for (const Json& pair : pairs) {
      if (!pair.is_array() || pair.size() != 2) refuse(name, "pairs of input and axis are wanted");
      const auto input = integer(pair[0], name, 0, f.input_count - 1);
      const auto ndim = static_cast<int64_t>(f.slots[static_cast<size_t>(input)].shape.size());
      out.emplace_back(input, integer(pair[1], name, 0, ndim - 1));
    }
    return out;
  }

  Call node(Calls& f, const Json& source, size_t position) {
    Call c;
    c.offset = position;
    for (const Json& in : array(source, "inputs")) c.inputs.push_back(slot(f, in, "inputs"));
    c.name = string(source, "op");
    const Json& attributes = member(source, "attributes");
    if (version_ == 1 && mlxfn::find_primitive(c.name)) {
      read_primitive(*mlxfn::find_primitive(c.name), attributes, c);
    } else if (const OpInfo* info = find_op(c.name); info && info->make) {
      read_fields(*info, attributes, c);
    } else {
      throw std::invalid_argument(
          fmt::format("[import_function] {}: {}: Unable to deserialize primitive {}", label_,
                      place_, printable(c.name, 64)));
    }
    if (version_ > 2 && source.contains("following")) {
      for (const Json& n : array(source, "following")) c.following.push_back(number(f, c, n));
    }
    if (version_ > 2 && source.contains("origin")) {
      const Json& origin = array(source, "origin");
      if (origin.size() != 3) refuse("origin", "name, module and location are wanted");
      c.origin = {text_of(origin[0], "origin"), text_of(origin[1], "origin"),
                  text_of(origin[2], "origin")};
    }
    const Json& results = array(source, "results");
    if (results.empty() || results.size() > max_results)
      refuse("results", "their number is not possible");
    c.first_output = static_cast<int>(f.slots.size());
    c.output_count = static_cast<int>(results.size());
    for (const Json& result : results) f.add_slot(aval(result));
    return c;
  }

  void read_primitive(const mlxfn::Primitive& p, const Json& attributes, Call& c) const {
    const int n = static_cast<int>(c.inputs.size());
    if (n < p.min_inputs || (p.max_inputs >= 0 && n > p.max_inputs)) {
      refuse("inputs", fmt::format("{} cannot have {} of them", p.name, n));
    }
    for (const mlxfn::Field& field : p.fields) {
      c.attributes.emplace_back(field.name, value(field.info(), member(attributes, field.name)));
      if (!field.in_range(c.attributes.back().second)) refuse(field.name, "it is out of range");
    }
    if (attributes.size() != p.fields.size()) refuse("attributes", "some are not known");
  }

  void read_fields(const OpInfo& info, const Json& attributes, Call& c) const {
    for (const FieldInfo& field : info.fields)
      c.attributes.emplace_back(field.name, value(field, member(attributes, field.name)));
    if (attributes.size() != info.fields.size()) refuse("attributes", "some are not known");
    try {
      info.make(c.attributes);
    } catch (const std::invalid_argument& e) {
      refuse("attributes", e.what());
    }
  }

  FollowingNumber number(const Calls& f, const Call& c, const Json& source) const {
    if (!source.is_array() || source.size() != 4)
      refuse("following", "attribute, element, rest and terms are wanted");
    FollowingNumber out;
    const std::string name = text_of(source[0], "following");
    auto at = std::find_if(c.attributes.begin(), c.attributes.end(),
                           [&](const auto& a) { return a.first == name; });
    if (at == c.attributes.end()) refuse("following", "there is no attribute of this name");
    out.attribute = static_cast<size_t>(at - c.attributes.begin());
    const size_t elements = std::visit(
        [](const auto& v) -> size_t {
          using T = std::decay_t<decltype(v)>;
          if constexpr (std::is_same_v<T, int64_t> || std::is_same_v<T, double>) return 1;
          if constexpr (std::is_same_v<T, Shape> || std::is_same_v<T, std::vector<int64_t>>) {
            return v.size();
          }
          return 0;
        },
        at->second);
    if (elements == 0) refuse("following", "the attribute holds no number");
    out.element =
        static_cast<size_t>(integer(source[1], "following", 0, static_cast<int64_t>(elements) - 1));
    out.rest = integer(source[2], "following", -most_following, most_following);
    if (!source[3].is_array() || source[3].size() > f.dimensions.size())
      refuse("following", "a list of terms is wanted");
    for (const Json& term : source[3]) {
      if (!term.is_array() || term.size() != 2)
        refuse("following", "pairs of dimension and factor are wanted");
      const auto last = static_cast<int64_t>(f.dimensions.size()) - 1;
      out.terms.emplace_back(integer(term[0], "following", 0, last),
                             integer(term[1], "following", -most_following, most_following));
    }
    return out;
  }

  // A list of integers in a range.
  template <class List>
  List integers(const Json& v, const char* name, int64_t low, int64_t high) const {
    if (!v.is_array()) refuse(name, "a list is wanted");
    List out;
    for (const Json& e : v) out.push_back(integer(e, name, low, high));
    return out;
  }
  double real(const Json& v, const char* name) const {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    if (v.is_number()) return v.get<double>();
    if (v == "nan") return std::numeric_limits<double>::quiet_NaN();
    if (v == "inf" || v == "-inf") return v == "inf" ? infinity : -infinity;
    refuse(name, "a number is wanted");
  }
  bool boolean(const Json& v, const char* name) const {
    if (!v.is_boolean()) refuse(name, "true or false is wanted");
    return v.get<bool>();
  }

  AttributeValue value(const FieldInfo& field, const Json& v) const {
    const char* name = field.name;
    switch (field.kind) {
      case FieldKind::boolean:
        return boolean(v, name);
      case FieldKind::integer:
        return integer(v, name, lowest32, highest32);
      case FieldKind::wide:
        return integer(v, name, lowest, highest);
      case FieldKind::real32:
      case FieldKind::real64:
        return real(v, name);
      case FieldKind::dtype:
        return dtype(v, name);
      case FieldKind::text:
        return text_of(v, name);
      case FieldKind::choice:
        if (version_ > 1) return text_of(v, name);
        // Version 1 counted.
        return field.choices[static_cast<size_t>(
            integer(v, name, 0, static_cast<int64_t>(field.choices.size()) - 1))];
      case FieldKind::sizes:
        return integers<Shape>(v, name, lowest, highest);
      case FieldKind::axes:
        return integers<std::vector<int64_t>>(v, name, lowest32, highest32);
    }
    refuse(name, "it is of no known kind");
  }

  const NamedArrays& tensors_;
  const std::string& label_;
  std::string place_;
  int version_ = format_version;
};

// Reads from memory in pieces, as from a stream.
ReadFunction reader_of(const io::Bytes& bytes) {
  return [bytes, at = uint64_t{0}](void* to, size_t n) mutable {
    n = std::min<uint64_t>(n, bytes.size - at);
    if (n > 0) std::memcpy(to, bytes.data + at, n);
    at += n;
    return n;
  };
}

}  // namespace

FunctionFile read(const Source& source) {
  const auto [tensors, metadata] = source.path.empty()
                                       ? load_safetensors(reader_of(source.bytes), source.label)
                                       : load_safetensors(source.path);
  ProgramReader reader(tensors, source.label);
  auto text = [&, &fields = metadata](const char* key) -> const std::string& {
    auto at = fields.find(key);
    if (at == fields.end()) reader.refuse(key, "it is missing: the file holds no program");
    return at->second;
  };
  if (text("format") != format_name) reader.refuse("format", "it is not that of programs");
  const std::string& version = text("version");
  if (version.size() != 1 || version[0] < '1' || version[0] - '0' > format_version) {
    reader.refuse("version", fmt::format("this heddle reads 1 to {}", format_version));
  }
  reader.set_version(version[0] - '0');
  return reader.read(text("program"));
}

namespace {

// A safetensors file begins with the length of its header and a brace.
bool recognizes(const io::Bytes& bytes) { return bytes.size > 8 && bytes.data[8] == '{'; }

const RegisterFormat registered({"heddle", suffix, dialect, recognizes, read, write});

}  // namespace

}  // namespace heddle::convert::native
