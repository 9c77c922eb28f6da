#include "io/reader.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <unordered_map>

#include "convert/mlxfn/file.h"
#include "convert/mlxfn/primitives.h"
#include "core/node.h"

namespace heddle::convert::mlxfn {
namespace {

using io::max_rank;
using io::printable;

constexpr size_t max_name = 256;       // of a primitive, an argument
constexpr size_t max_results = 255;    // as nodes have room for
constexpr size_t smallest_entry = 10;  // id and two flags

bool parse_version(std::string_view text, Version& v) {
  int* parts[] = {&v.major, &v.minor, &v.patch};
  const char *at = text.data(), *end = at + text.size();
  for (int k = 0; k < 3; k++) {
    if (k > 0 && (at == end || *at++ != '.')) return false;
    auto [next, error] = std::from_chars(at, end, *parts[k]);
    if (error != std::errc() || *parts[k] < 0 || *parts[k] > 99999) return false;
    at = next;
  }
  return at == end || *at == '.' || *at == '+' || *at == '-';  // builds between versions
}

// The fields of this format.
class Fields : public io::Reader {
 public:
  explicit Fields(const io::Origin& origin, const char* data, size_t bytes)
      : Reader(origin, data, bytes), origin_(origin) {}

  [[noreturn]] void refuse_at(uint64_t offset, std::string_view field,
                              std::string_view problem) const {
    origin_.refuse(offset, field, problem);
  }
  Dtype dtype(const char* field) {
    uint64_t start = offset();
    auto code = number<int32_t>(field);
    auto size = number<uint8_t>(field);
    if (code < 0 || code >= dtype_count)
      refuse_at(start, field, fmt::format("{} is no dtype", code));
    auto t = static_cast<Dtype>(code);
    if (size != size_of(t)) {
      refuse_at(start, field, fmt::format("{} has {} bytes, not {}", name_of(t), size_of(t), size));
    }
    return t;
  }
  // The shape and dtype of an array that may exist.
  Aval aval(const char* shape_field, const char* dtype_field) {
    std::vector<uint64_t> sizes = dimensions(shape_field);
    Dtype t = dtype(dtype_field);
    return {extent(sizes, t, shape_field).shape, t};
  }
  std::vector<uint64_t> dimensions(const char* field) {
    uint64_t start = offset(), n = count(field, 4, max_rank);
    std::vector<uint64_t> out;
    for (uint64_t i = 0; i < n; i++) {
      auto d = number<int32_t>(field);
      if (d < 0) refuse_at(start, field, fmt::format("the dimension {} is negative", d));
      out.push_back(static_cast<uint64_t>(d));
    }
    return out;
  }
  std::vector<uint64_t> ids(const char* field) {
    uint64_t n = count(field, 8);
    std::vector<uint64_t> out(n);
    if (n > 0) std::memcpy(out.data(), take(8 * n, field), 8 * n);
    return out;
  }

  AttributeValue value(const Field& f) {
    uint64_t start = offset();
    switch (f.kind) {
      case Kind::boolean:
        return boolean(f.name);
      case Kind::integer:
        return int64_t{number<int32_t>(f.name)};
      case Kind::size:
        return positive(number<uint64_t>(f.name), start, f.name);
      case Kind::real32:
        return double{number<float>(f.name)};
      case Kind::real64:
        return number<double>(f.name);
      case Kind::dtype:
        return dtype(f.name);
      case Kind::text:
        return string(f.name, max_name);
      case Kind::choice: {
        auto v = number<int32_t>(f.name);
        if (v < 0 || v >= f.choices) {
          refuse_at(start, f.name, fmt::format("{} is none of its {} values", v, f.choices));
        }
        return int64_t{v};
      }
      case Kind::shape:
        return numbers<int32_t, Shape>(f.name);
      case Kind::strides:
        return numbers<int64_t, Shape>(f.name);
      case Kind::axes:
        return numbers<int32_t, std::vector<int64_t>>(f.name);
      case Kind::sizes:
        return numbers<uint64_t, std::vector<int64_t>>(f.name);
    }
    refuse_at(start, f.name, "it is of no known kind");
  }

 private:
  int64_t positive(uint64_t v, uint64_t start, const char* field) const {
    if (v > INT64_MAX) refuse_at(start, field, fmt::format("{} is too large", v));
    return static_cast<int64_t>(v);
  }
  template <class Stored, class Out>
  Out numbers(const char* field) {
    uint64_t n = count(field, sizeof(Stored));
    Out out;
    out.reserve(n);
    for (uint64_t i = 0; i < n; i++) {
      uint64_t start = offset();
      auto v = number<Stored>(field);
      if constexpr (std::is_unsigned_v<Stored>) {
        out.push_back(positive(v, start, field));
      } else {
        out.push_back(v);
      }
    }
    return out;
  }

  const io::Origin& origin_;
};

class FileReader {
 public:
  FileReader(const io::Bytes& bytes, const io::Origin& origin)
      : in_(origin, bytes.data, bytes.size), owner_(bytes.owner) {}

  FunctionFile read() {
    FunctionFile file;
    file.dialect = &dialect();
    file.version = in_.string("version", 64);
    if (!parse_version(file.version, version_)) {
      in_.refuse_at(0, "version",
                    fmt::format("'{}' is no version of MLX", printable(file.version)));
    }
    uint64_t start = in_.offset();
    auto count = in_.number<int32_t>("function count");
    file.shapeless = in_.boolean("shapeless");
    if (version_ >= metadata_since) file.metadata = in_.string("metadata");
    if (count < 0) in_.refuse_at(start, "function count", fmt::format("{} is negative", count));
    for (int k = 0; k < count; k++) {
      if (in_.remaining() == 0) {
        in_.refuse_at(in_.offset(), "function",
                      fmt::format("{} functions are announced, the file has {}", count, k));
      }
      file.functions.push_back(function());
    }
    if (in_.remaining() > 0) {
      in_.refuse_at(in_.offset(), "end",
                    fmt::format("{} bytes follow the last function", in_.remaining()));
    }
    return file;
  }

 private:
  using Ids = std::unordered_map<uint64_t, int>;

  Calls function() {
    Calls f;
    f.follows_sizes = false;
    Ids slots;
    uint64_t start = in_.offset();
    uint64_t names = in_.count("keyword count", 8);
    for (size_t i = 0; i < names; i++) f.keywords.push_back(in_.string("keyword", max_name));
    for (size_t i = 1; i < names; i++) {
      if (f.keywords[i - 1] >= f.keywords[i]) {
        in_.refuse_at(start, "keywords", "they are not in order or occur twice");
      }
    }
    start = in_.offset();
    std::vector<uint64_t> inputs = in_.ids("inputs");
    uint64_t n = in_.count("input shapes", 13);
    if (n != inputs.size() || n < names) {
      in_.refuse_at(start, "inputs",
                    fmt::format("{} inputs with {} names have {} shapes", inputs.size(), names, n));
    }
    for (uint64_t id : inputs) {
      define(f, slots, id, in_.aval("input shape", "input dtype"), start);
    }
    f.input_count = static_cast<int>(n);
    uint64_t outputs_at = in_.offset();
    std::vector<uint64_t> outputs = in_.ids("outputs");

    uint64_t length = in_.count("tape length", smallest_entry);
    for (size_t i = 0; i < length; i++) entry(f, slots);
    for (uint64_t id : outputs) f.outputs.push_back(find(slots, id, outputs_at, "outputs"));
    return f;
  }

  int define(Calls& f, Ids& slots, uint64_t id, Aval aval, uint64_t offset) {
    int slot = f.add_slot(std::move(aval));
    if (!slots.emplace(id, slot).second) {
      in_.refuse_at(offset, "id", fmt::format("{} occurs twice", id));
    }
    return slot;
  }
  int find(const Ids& slots, uint64_t id, uint64_t offset, const char* field) {
    auto at = slots.find(id);
    if (at == slots.end()) {
      in_.refuse_at(offset, field, fmt::format("the id {} is not known before its use", id));
    }
    return at->second;
  }

  void entry(Calls& f, Ids& slots) {
    uint64_t start = in_.offset();
    auto id = in_.number<uint64_t>("id");
    if (in_.boolean("primitive flag")) {
      primitive(f, slots, id, start);
    } else if (in_.boolean("constant flag")) {
      constant(f, slots, id, start);
    } else {
      auto at = slots.find(id);
      if (at == slots.end() || at->second >= f.input_count) {
        in_.refuse_at(start, "id", fmt::format("{} is none of the inputs", id));
      }
    }
  }

  void constant(Calls& f, Ids& slots, uint64_t id, uint64_t start) {
    auto known = constants_.find(id);
    if (known == constants_.end()) {
      std::vector<uint64_t> sizes = in_.dimensions("constant shape");
      Dtype t = in_.dtype("constant dtype");
      io::Extent extent = in_.extent(sizes, t, "constant shape");
      const char* at = in_.take(extent.bytes, "constant data");
      known = constants_.emplace(id, array_of(extent.shape, t, at, extent.bytes)).first;
    }
    const Array& a = known->second;
    f.constants.emplace_back(define(f, slots, id, {a.shape(), a.dtype()}, start), a);
  }
  Array array_of(const Shape& shape, Dtype t, const char* at, size_t size) {
    auto* node = new Node(shape, t);
    Array array = Array::adopt(node);
    bool aligned = reinterpret_cast<uintptr_t>(at) % size_of(t) == 0;
    if (owner_ && aligned && size > 0 && !is_bool(t)) {
      node->set_data(owner_, at - static_cast<const char*>(owner_->data));
    } else {
      node->allocate_dense();
      if (size > 0) std::memcpy(node->data, at, size);
      // Bytes other than 0 and 1 are no bools; kernels may count on that.
      for (size_t i = 0; is_bool(t) && i < size; i++) node->data[i] = node->data[i] != 0;
    }
    node->finish();
    return array;
  }

  void primitive(Calls& f, Ids& slots, uint64_t id, uint64_t start) {
    Call c;
    c.offset = start;
    uint64_t inputs_at = in_.offset();
    for (uint64_t in : in_.ids("primitive inputs")) {
      c.inputs.push_back(find(slots, in, inputs_at, "primitive inputs"));
    }
    in_.take(12, "stream");  // whatever it was recorded for
    uint64_t name_at = in_.offset();
    c.name = in_.string("primitive name", max_name);
    const Primitive* row = find_primitive(c.name);
    if (!row) {
      throw std::invalid_argument(fmt::format(
          "[import_function] Unable to deserialize primitive {} (offset {} of a file of version "
          "{}.{}.{})",
          printable(c.name), name_at, version_.major, version_.minor, version_.patch));
    }
    const Primitive& p = *row;
    int n = static_cast<int>(c.inputs.size());
    if (n < p.min_inputs || (p.max_inputs >= 0 && n > p.max_inputs)) {
      in_.refuse_at(inputs_at, "primitive inputs",
                    fmt::format("{} cannot have {} of them", p.name, n));
    }
    for (const Field& field : p.fields) {
      bool stored = !field.only_heddle && version_ >= field.since;
      c.attributes.emplace_back(field.name, stored ? in_.value(field) : field.missing);
    }
    results(f, slots, id, c);
    f.calls.push_back(std::move(c));
  }

  void results(Calls& f, Ids& slots, uint64_t id, Call& c) {
    uint64_t start = in_.offset();
    auto siblings = in_.number<uint64_t>("sibling count");
    if (siblings == 0) {
      c.first_output = define(f, slots, id, in_.aval("result shape", "result dtype"), start);
      c.output_count = 1;
      return;
    }
    std::vector<uint64_t> all = in_.ids("result ids");
    if (all.size() != siblings + 1 || all.size() > max_results) {
      in_.refuse_at(start, "result ids",
                    fmt::format("{} results of {} siblings", all.size(), siblings));
    }
    Avals avals(all.size());
    auto expect = [&](const char* field, size_t size) {
      uint64_t at = in_.offset();
      if (in_.count(field, size) != all.size())
        in_.refuse_at(at, field, "one for each result is wanted");
    };
    expect("result shapes", 8);
    std::vector<std::vector<uint64_t>> sizes;
    for (size_t k = 0; k < all.size(); k++) sizes.push_back(in_.dimensions("result shape"));
    expect("result dtypes", 5);
    for (size_t k = 0; k < all.size(); k++) {
      Dtype t = in_.dtype("result dtype");
      avals[k] = {in_.extent(sizes[k], t, "result shape").shape, t};
    }
    c.first_output = static_cast<int>(f.slots.size());
    c.output_count = static_cast<int>(all.size());
    for (size_t k = 0; k < all.size(); k++) define(f, slots, all[k], std::move(avals[k]), start);
    if (std::find(all.begin(), all.end(), id) == all.end()) {
      in_.refuse_at(start, "result ids", "the entry's own is not among them");
    }
  }

  Fields in_;
  const BufferRef& owner_;
  Version version_;
  std::unordered_map<uint64_t, Array> constants_;
};

// Whether the bytes begin as a .mlxfn file does: a version string and its length.
bool recognizes(const io::Bytes& bytes) {
  uint64_t length;
  if (bytes.size < sizeof(length)) return false;
  std::memcpy(&length, bytes.data, sizeof(length));
  Version v;
  return length >= 5 && length <= 64 && length <= bytes.size - sizeof(length) &&
         parse_version({bytes.data + sizeof(length), static_cast<size_t>(length)}, v);
}

const RegisterFormat registered({"mlxfn", ".mlxfn", dialect, recognizes, read, write});

}  // namespace

FunctionFile read(const Source& source) {
  const io::Origin origin{"import_function", source.label};
  return FileReader(source.bytes, origin).read();
}

}  // namespace heddle::convert::mlxfn
