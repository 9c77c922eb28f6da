#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_set>

#include "io/safetensors.h"

namespace heddle::io {
namespace {

constexpr int max_depth = 8;  // of values that are passed over

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

// Takes the header apart as it is parsed, so that nothing the file claims is stored before it is
// checked and keys that occur twice are seen.
class Header : public nlohmann::json::json_sax_t {
 public:
  explicit Header(const Origin& origin) : origin_(origin) {}

  std::vector<Entry> entries;
  Metadata metadata;

  [[noreturn]] void refuse(uint64_t offset, const std::string& field,
                           const std::string& problem) const {
    origin_.refuse(offset, field, problem);
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
      in_metadata_ = k == safetensors_metadata_key;
      if (!names_.insert(k).second)
        refuse(8, fmt::format("tensor '{}'", k), "the name occurs twice");
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
    refuse(8 + position, "header",
           "not valid JSON: " + (text == std::string::npos ? what : what.substr(text + 2, 160)));
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
    if (depth_ > max_depth)
      refuse(8, field(), fmt::format("nested deeper than {} levels", max_depth));
    return true;
  }
  void check_entry() {
    const Entry& e = entries.back();
    const char* missing = !e.dtype     ? "dtype"
                          : !e.shape   ? "shape"
                          : !e.offsets ? "data_offsets"
                                       : nullptr;
    if (missing)
      refuse(8, fmt::format("tensor '{}', {}", e.name.substr(0, 64), missing), "missing");
    if (e.offsets->size() != 2) {
      refuse(8, fmt::format("tensor '{}', data_offsets", e.name.substr(0, 64)),
             "two numbers are wanted");
    }
  }

  const Origin& origin_;
  int depth_ = 0;
  bool in_metadata_ = false;
  bool collecting_ = false;
  std::string name_, key_;
  std::unordered_set<std::string> names_;
  std::vector<uint64_t> numbers_;
};

}  // namespace

uint64_t check_safetensors_length(const Origin& origin, uint64_t length) {
  if (length > max_safetensors_header) {
    origin.refuse(0, "header length",
                  fmt::format("{} is more than the limit of {}", length, max_safetensors_header));
  }
  return length;
}

SafetensorsHeader parse_safetensors_header(const Origin& origin, const char* json, uint64_t length,
                                           uint64_t available) {
  if (length == 0 || json[0] != '{') origin.refuse(8, "header", "it must begin with '{'");
  Header header(origin);
  // The parser takes a null for the end, whatever follows it.
  if (const void* null = std::memchr(json, 0, length)) {
    origin.refuse(8 + static_cast<uint64_t>(static_cast<const char*>(null) - json), "header",
                  "it holds a null character");
  }
  nlohmann::json::sax_parse(json, json + length, &header);

  std::vector<const Entry*> order;
  order.reserve(header.entries.size());
  for (const Entry& e : header.entries) order.push_back(&e);
  std::sort(order.begin(), order.end(),
            [](const Entry* a, const Entry* b) { return *a->offsets < *b->offsets; });
  SafetensorsHeader result;
  result.metadata = std::move(header.metadata);
  result.data_offset = 8 + length;
  result.entries.reserve(order.size());
  uint64_t covered = 0;
  for (const Entry* e : order) {
    uint64_t at = result.data_offset + std::min(covered, UINT64_MAX / 2);
    auto field = [&](const char* of) {
      return fmt::format("tensor '{}', {}", e->name.substr(0, 64), of);
    };
    uint64_t begin = (*e->offsets)[0], end = (*e->offsets)[1];
    if (begin > end || end > available) {
      origin.refuse(at, field("data_offsets"),
                    begin > end ? fmt::format("[{}, {}] ends before it begins", begin, end)
                                : fmt::format("[{}, {}] does not lie in the {} bytes of data",
                                              begin, end, available));
    }
    if (begin != covered) {
      origin.refuse(
          at, field("data_offsets"),
          fmt::format(
              "begins at {}, where {} is wanted: tensors must neither overlap nor leave gaps",
              begin, covered));
    }
    covered = end;
    Extent extent = Reader(origin, nullptr, 0, at).extent(*e->shape, *e->dtype, field("shape"));
    if (extent.bytes != end - begin) {
      origin.refuse(at, field("shape"),
                    fmt::format("shape and dtype want {} bytes, data_offsets give {}", extent.bytes,
                                end - begin));
    }
    result.entries.push_back({e->name, *e->dtype, std::move(extent), begin});
  }
  result.data_bytes = covered;
  return result;
}

const char* safetensors_type_name(Dtype t) {
  for (const auto& s : stored_types) {
    if (s.dtype == t) return s.name;
  }
  return nullptr;
}

}  // namespace heddle::io
