// safetensors: a 64-bit header length, the header in JSON, then the tensors' bytes without gaps.
#include <algorithm>
#include <cstring>
#include <optional>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/node.h"
#include "eval/eval.h"
#include "heddle/io.h"
#include "heddle/ops.h"
#include "io/file.h"

namespace heddle {
namespace {

constexpr uint64_t max_header_bytes = 100'000'000;  // the format's own limit
constexpr size_t max_rank = 64;
constexpr int max_depth = 8;  // of values that are passed over
constexpr const char* metadata_key = "__metadata__";

struct StoredType {
  const char* name;
  Dtype dtype;
};
// float8 has no dtype here: its bytes are kept.
constexpr StoredType stored_types[] = {
    {"BOOL", Dtype::bool_},    {"U8", Dtype::uint8},      {"U16", Dtype::uint16},
    {"U32", Dtype::uint32},    {"U64", Dtype::uint64},    {"I8", Dtype::int8},
    {"I16", Dtype::int16},     {"I32", Dtype::int32},     {"I64", Dtype::int64},
    {"F16", Dtype::float16},   {"BF16", Dtype::bfloat16}, {"F32", Dtype::float32},
    {"F64", Dtype::float64},   {"C64", Dtype::complex64}, {"F8_E4M3", Dtype::uint8},
    {"F8_E5M2", Dtype::uint8}, {"F8_E8M0", Dtype::uint8},
};

struct Entry {
  std::string name;
  std::optional<Dtype> dtype;
  std::optional<std::vector<uint64_t>> shape, offsets;
};

// What a file says, fit for one line of an error message in any encoding: names are cut at 64 bytes,
// which may lie inside a character, and a header need not be UTF-8 at all.
std::string printable(const std::string& text) {
  std::string out;
  for (unsigned char c : text) {
    if (c >= 0x20 && c < 0x7f) {
      out += static_cast<char>(c);
    } else {
      out += fmt::format("\\x{:02x}", c);
    }
  }
  return out;
}

// Takes the header apart as it is parsed, so that nothing the file claims is stored before it is checked
// and keys that occur twice are seen.
class Header : public nlohmann::json::json_sax_t {
 public:
  explicit Header(const std::string& label) : label_(label) {}

  std::vector<Entry> entries;
  Metadata metadata;

  [[noreturn]] void refuse(size_t offset, const std::string& field, const std::string& problem) const {
    throw UnsafeFileError(fmt::format("[load_safetensors] {}: offset {}, {}: {}.", label_, offset,
                                      printable(field), printable(problem)));
  }

  bool start_object(std::size_t) override {
    depth_++;
    if (depth_ == 1) return true;
    if (depth_ == 2 && in_metadata_) return true;
    if (depth_ == 2) {
      entries.push_back({name_, {}, {}, {}});
      return true;
    }
    return nested();
  }
  bool end_object() override {
    if (depth_ == 2 && !in_metadata_) check_entry();
    depth_--;
    return true;
  }
  bool start_array(std::size_t) override {
    depth_++;
    if (depth_ < 3) unexpected("an array");
    if (depth_ == 3 && !in_metadata_ && (key_ == "shape" || key_ == "data_offsets")) {
      numbers_.clear();
      collecting_ = true;
      return true;
    }
    return nested();
  }
  bool end_array() override {
    if (depth_ == 3 && collecting_) {
      auto& target = key_ == "shape" ? entries.back().shape : entries.back().offsets;
      if (target) refuse(8, field(), "given twice");
      target = numbers_;
      collecting_ = false;
    }
    depth_--;
    return true;
  }
  bool key(string_t& k) override {
    if (depth_ == 1) {
      name_ = k;
      in_metadata_ = k == metadata_key;
      if (!names_.insert(k).second) refuse(8, fmt::format("tensor '{}'", k), "the name occurs twice");
    } else if (depth_ == 2) {
      key_ = k;
      if (in_metadata_ && metadata.count(k)) refuse(8, field(), "the key occurs twice");
    }
    return true;
  }
  bool string(string_t& s) override {
    if (depth_ == 2 && in_metadata_) {
      metadata[key_] = s;
    } else if (depth_ == 2 && key_ == "dtype") {
      if (entries.back().dtype) refuse(8, field(), "given twice");
      for (const auto& t : stored_types) {
        if (s == t.name) entries.back().dtype = t.dtype;
      }
      if (!entries.back().dtype) {
        refuse(8, field(), fmt::format("dtype '{}' is not supported", s.substr(0, 32)));
      }
    } else {
      value("a string");
    }
    return true;
  }
  bool number_unsigned(number_unsigned_t n) override {
    if (collecting_ && depth_ == 3) {
      if (numbers_.size() >= max_rank) refuse(8, field(), "too many numbers");
      numbers_.push_back(n);
    } else {
      value("a number");
    }
    return true;
  }
  bool null() override {
    if (depth_ == 1 && in_metadata_) return true;  // MLX writes it so
    return value("null"), true;
  }
  bool boolean(bool) override { return value("a boolean"), true; }
  bool number_integer(number_integer_t n) override {
    return value(fmt::format("the number {}", n)), true;
  }
  bool number_float(number_float_t, const string_t&) override { return value("a fraction"), true; }
  bool binary(binary_t&) override { return false; }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::json::exception& e) override {
    std::string what = e.what();
    size_t text = what.find("] ");
    refuse(8 + position, "header", "not valid JSON: " + (text == std::string::npos ? what : what.substr(text + 2, 160)));
  }

 private:
  std::string field() const {
    return in_metadata_ ? fmt::format("metadata '{}'", key_.substr(0, 64))
                        : fmt::format("tensor '{}', {}", name_.substr(0, 64), key_.substr(0, 64));
  }
  [[noreturn]] void unexpected(const std::string& what) const {
    refuse(8, depth_ <= 1 ? fmt::format("tensor '{}'", name_.substr(0, 64)) : field(),
           fmt::format("{} is not expected here", what));
  }
  // A value where none of the format's own is expected: only unknown keys of an entry may have it.
  void value(const std::string& what) const {
    bool known = key_ == "dtype" || key_ == "shape" || key_ == "data_offsets";
    if (depth_ < 2 || in_metadata_ || known) unexpected(what);
  }
  bool nested() {
    value("a nested value");
    if (depth_ > max_depth) refuse(8, field(), fmt::format("nested deeper than {} levels", max_depth));
    return true;
  }
  void check_entry() {
    const Entry& e = entries.back();
    const char* missing = !e.dtype ? "dtype" : !e.shape ? "shape" : !e.offsets ? "data_offsets" : nullptr;
    if (missing) refuse(8, fmt::format("tensor '{}', {}", e.name.substr(0, 64), missing), "missing");
    if (e.offsets->size() != 2) {
      refuse(8, fmt::format("tensor '{}', data_offsets", e.name.substr(0, 64)), "two numbers are wanted");
    }
  }

  const std::string& label_;
  int depth_ = 0;
  bool in_metadata_ = false;
  bool collecting_ = false;
  std::string name_, key_;
  std::set<std::string> names_;
  std::vector<uint64_t> numbers_;
};

// A file's bytes, and the buffer that keeps them, which is empty where tensors must be copied.
std::pair<NamedArrays, Metadata> read(const char* data, size_t bytes, const BufferRef& buffer,
                                      const std::string& label) {
  Header header(label);
  if (bytes < 8) header.refuse(0, "header length", fmt::format("the file has {} bytes, 8 are wanted", bytes));
  uint64_t length;
  std::memcpy(&length, data, 8);
  if (length > max_header_bytes) {
    header.refuse(0, "header length", fmt::format("{} is more than the limit of {}", length, max_header_bytes));
  }
  if (length > bytes - 8) {
    header.refuse(0, "header length", fmt::format("{} is more than the {} bytes that follow", length, bytes - 8));
  }
  const char* json = data + 8;
  if (length == 0 || json[0] != '{') header.refuse(8, "header", "it must begin with '{'");
  nlohmann::json::sax_parse(json, json + length, &header);

  const char* payload = json + length;
  uint64_t available = bytes - 8 - length;
  std::vector<const Entry*> order;
  for (const Entry& e : header.entries) order.push_back(&e);
  std::sort(order.begin(), order.end(), [](const Entry* a, const Entry* b) {
    return *a->offsets < *b->offsets;
  });
  uint64_t covered = 0;
  NamedArrays arrays;
  arrays.reserve(order.size());
  for (const Entry* e : order) {
    auto refuse = [&](const char* field, const std::string& problem) {
      header.refuse(8 + length + covered, fmt::format("tensor '{}', {}", e->name.substr(0, 64), field),
                    problem);
    };
    uint64_t begin = (*e->offsets)[0], end = (*e->offsets)[1];
    if (begin > end || end > available) {
      refuse("data_offsets", fmt::format("[{}, {}] does not lie in the {} bytes of data", begin, end, available));
    }
    if (begin != covered) {
      refuse("data_offsets", fmt::format("begins at {}, where {} is wanted: tensors must neither overlap "
                                         "nor leave gaps", begin, covered));
    }
    covered = end;
    uint64_t size = size_of(*e->dtype);
    bool empty = std::find(e->shape->begin(), e->shape->end(), 0) != e->shape->end();
    Shape shape;
    for (uint64_t d : *e->shape) {
      if (d > static_cast<uint64_t>(max_dimension)) refuse("shape", fmt::format("dimension {} is too large", d));
      if (!empty && __builtin_mul_overflow(size, d, &size)) refuse("shape", "its product overflows");
      shape.push_back(static_cast<int64_t>(d));
    }
    if (empty) size = 0;
    if (size != end - begin) {
      refuse("shape", fmt::format("shape and dtype want {} bytes, data_offsets give {}", size, end - begin));
    }
    auto* node = new Node(shape, *e->dtype);
    Array array = Array::adopt(node);
    const char* at = payload + begin;
    bool aligned = reinterpret_cast<uintptr_t>(at) % size_of(*e->dtype) == 0;
    if (buffer && aligned && size > 0) {
      node->set_data(buffer, at - static_cast<const char*>(buffer->data));
    } else {
      node->allocate_dense();
      if (size > 0) std::memcpy(node->data, at, size);
    }
    node->finish();
    arrays.emplace(e->name, std::move(array));
  }
  if (covered != available) {
    header.refuse(8 + length + covered, "data", fmt::format("{} bytes belong to no tensor", available - covered));
  }
  return {std::move(arrays), std::move(header.metadata)};
}

const char* stored_name(Dtype t) {
  for (const auto& s : stored_types) {
    if (s.dtype == t) return s.name;
  }
  return nullptr;
}

}  // namespace

std::pair<NamedArrays, Metadata> load_safetensors(const std::string& path) {
  io::MappedFile file = io::map_file("load_safetensors", path);
  return read(file.data, file.bytes, file.buffer, path);
}

std::pair<NamedArrays, Metadata> load_safetensors(const void* data, size_t bytes,
                                                  const std::string& label) {
  return read(static_cast<const char*>(data), bytes, BufferRef(), label);
}

void save_safetensors(const std::function<void(const void*, size_t)>& write,
                      const std::map<std::string, Array>& arrays, const Metadata& metadata) {
  // Wider elements first: then every tensor is aligned, since the header's length is a multiple of 8.
  std::vector<std::pair<std::string, Array>> order;
  Arrays all;
  for (const auto& [name, array] : arrays) {
    if (name == metadata_key) {
      throw std::invalid_argument(fmt::format("[save_safetensors] '{}' is not a tensor's name.", name));
    }
    order.emplace_back(name, contiguous(array));
    all.push_back(order.back().second);
  }
  eval(all);
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return a.second.itemsize() > b.second.itemsize();
  });
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) {
    auto& m = header[metadata_key] = nlohmann::ordered_json::object();
    for (const auto& [key, value] : metadata) m[key] = value;
  }
  uint64_t offset = 0;
  for (const auto& [name, array] : order) {
    header[name] = {{"dtype", stored_name(array.dtype())},
                    {"shape", std::vector<int64_t>(array.shape().begin(), array.shape().end())},
                    {"data_offsets", {offset, offset + array.nbytes()}}};
    offset += array.nbytes();
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::exception&) {
    throw std::invalid_argument("[save_safetensors] Names and metadata must be valid UTF-8.");
  }
  text.append((8 - text.size() % 8) % 8, ' ');
  uint64_t length = text.size();
  write(&length, 8);
  write(text.data(), text.size());
  for (const auto& [name, array] : order) write(array.raw_data(), array.nbytes());
}

void save_safetensors(std::string path, const std::map<std::string, Array>& arrays,
                      const Metadata& metadata) {
  constexpr std::string_view suffix = ".safetensors";
  if (!path.ends_with(suffix)) path += suffix;
  io::write_atomically("save_safetensors", path, [&](const io::Sink& sink) {
    save_safetensors(sink, arrays, metadata);
  });
}

}  // namespace heddle
