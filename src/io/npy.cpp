#include "io/npy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "core/node.h"
#include "heddle/ops.h"

namespace heddle {
namespace io {
namespace {

constexpr std::string_view magic = "\x93NUMPY";
constexpr uint64_t max_header_bytes = uint64_t{1} << 20;  // of a header that describes one array
constexpr size_t alignment = 64;                          // of the data, as numpy has it
constexpr size_t growth_digits = 21;  // numpy leaves room for a longer first axis

struct StoredType {
  const char* kind;
  Dtype dtype;
};
constexpr StoredType stored_types[] = {
    {"b1", Dtype::bool_},    {"u1", Dtype::uint8},     {"u2", Dtype::uint16},
    {"u4", Dtype::uint32},   {"u8", Dtype::uint64},    {"i1", Dtype::int8},
    {"i2", Dtype::int16},    {"i4", Dtype::int32},     {"i8", Dtype::int64},
    {"f2", Dtype::float16},  {"f4", Dtype::float32},   {"f8", Dtype::float64},
    {"V2", Dtype::bfloat16}, {"c8", Dtype::complex64},
};

// The literal of a header: a dict of strings, booleans and tuples of integers.
class Literal {
 public:
  Literal(std::string_view text, uint64_t base, const Origin& origin)
      : text_(text), base_(base), origin_(origin) {}

  void parse(NpyHeader* header) {
    std::vector<uint64_t> shape;
    std::string descr;
    bool seen[3] = {};
    expect('{');
    while (!accept('}')) {
      std::string key = string();
      expect(':');
      size_t which = key == "descr" ? 0 : key == "fortran_order" ? 1 : key == "shape" ? 2 : 3;
      if (which == 3) refuse(fmt::format("unknown key '{}'", key));
      if (std::exchange(seen[which], true)) refuse(fmt::format("the key '{}' occurs twice", key));
      field_ = key;
      if (which == 0) {
        descr = string();
      } else if (which == 1) {
        header->storage.column_major = boolean();
      } else {
        shape = tuple();
      }
      field_ = "header";
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_space();
    if (at_ != text_.size()) refuse("text follows the dict");
    for (size_t i = 0; i < 3; i++) {
      if (!seen[i])
        refuse(fmt::format("the key '{}' is missing",
                           std::array{"descr", "fortran_order", "shape"}[i]));
    }
    take_type(descr, header);
    header->extent = Reader(origin_, nullptr, 0, base_).extent(shape, header->dtype, "shape");
  }

 private:
  [[noreturn]] void refuse(const std::string& problem) const {
    origin_.refuse(base_ + at_, field_, problem);
  }
  void skip_space() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r')) {
      at_++;
    }
  }
  bool accept(char c) {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    at_++;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) refuse(fmt::format("'{}' is wanted here", c));
  }
  bool accept_word(std::string_view word) {
    skip_space();
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  std::string string() {
    skip_space();
    char quote = at_ < text_.size() ? text_[at_] : '\0';
    if (quote != '\'' && quote != '"') refuse("a string is wanted here");
    size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) refuse("a string does not end");
    std::string value(text_.substr(at_ + 1, end - at_ - 1));
    if (value.find('\\') != std::string::npos) refuse("a string has an escape");
    at_ = end + 1;
    return value;
  }
  bool boolean() {
    if (accept_word("True")) return true;
    if (accept_word("False")) return false;
    refuse("True or False is wanted here");
  }
  uint64_t integer() {
    skip_space();
    uint64_t value = 0;
    const char* begin = text_.data() + at_;
    auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
    if (error != std::errc()) refuse("a size is wanted here");
    at_ += static_cast<size_t>(end - begin);
    accept_word("L");  // Python 2 wrote it
    return value;
  }
  std::vector<uint64_t> tuple() {
    std::vector<uint64_t> values;
    expect('(');
    while (!accept(')')) {
      if (values.size() >= max_rank) refuse(fmt::format("more than {} dimensions", max_rank));
      values.push_back(integer());
      if (!accept(',')) {
        if (values.size() == 1) refuse("a tuple is wanted here");
        expect(')');
        break;
      }
    }
    return values;
  }
  void take_type(const std::string& descr, NpyHeader* header) {
    field_ = "descr";
    std::string_view kind = descr;
    char order = kind.empty() ? '\0' : kind[0];
    if (order == '<' || order == '>' || order == '=' || order == '|') kind.remove_prefix(1);
    header->storage.swapped = order == '>';
    if (kind == "c16") {
      header->storage.wide = true;
      header->dtype = Dtype::complex64;
      return;
    }
    for (const auto& type : stored_types) {
      if (kind == type.kind) {
        header->dtype = type.dtype;
        return;
      }
    }
    refuse(fmt::format("the type '{}' is not supported", printable(descr, 32)));
  }

  std::string_view text_;
  uint64_t base_;
  const Origin& origin_;
  std::string field_ = "header";
  size_t at_ = 0;
};

// Reads exactly `bytes` bytes.
std::string read_text(const ReadFunction& read, const Origin& origin, uint64_t offset,
                      uint64_t bytes, std::string_view field) {
  Bytes got = read_bytes(read, bytes);
  if (got.size < bytes) {
    origin.refuse(offset, field, fmt::format("{} bytes are wanted, {} are left", bytes, got.size));
  }
  return std::string(got.data, got.size);
}

std::string type_text(Dtype dtype) {
  for (const auto& type : stored_types) {
    if (type.dtype == dtype) return fmt::format("{}{}", size_of(dtype) == 1 ? '|' : '<', type.kind);
  }
  return {};
}

}  // namespace

NpyHeader read_npy_header(const ReadFunction& read, const Origin& origin) {
  std::string start = read_text(read, origin, 0, 8, "magic number");
  if (!start.starts_with(magic)) origin.refuse(0, "magic number", "this is no npy file");
  int major = static_cast<unsigned char>(start[6]), minor = static_cast<unsigned char>(start[7]);
  if (major < 1 || major > 3 || minor != 0) {
    origin.refuse(6, "version", fmt::format("{}.{} is none of 1.0, 2.0 and 3.0", major, minor));
  }
  uint64_t length_bytes = major == 1 ? 2 : 4;
  std::string number = read_text(read, origin, 8, length_bytes, "header length");
  Reader reader(origin, number.data(), number.size(), 8);
  uint64_t length = major == 1 ? reader.number<uint16_t>("header length")
                               : reader.number<uint32_t>("header length");
  if (length > max_header_bytes) {
    origin.refuse(8, "header length",
                  fmt::format("{} is more than the limit of {}", length, max_header_bytes));
  }
  uint64_t base = 8 + length_bytes;
  std::string text = read_text(read, origin, base, length, "header");
  NpyHeader header;
  header.header_bytes = base + length;
  Literal(text, base, origin).parse(&header);
  return header;
}

std::string npy_header(Dtype dtype, const Shape& shape, bool column_major) {
  std::string axes;
  for (int64_t d : shape) axes += fmt::format("{}{}", axes.empty() ? "" : ", ", d);
  if (shape.size() == 1) axes += ",";
  std::string text = fmt::format("{{'descr': '{}', 'fortran_order': {}, 'shape': ({}), }}",
                                 type_text(dtype), column_major ? "True" : "False", axes);
  if (!shape.empty()) {
    size_t digits = fmt::formatted_size("{}", column_major ? shape.back() : shape.front());
    text.append(growth_digits - digits, ' ');
  }
  auto padded = [&](size_t prefix) {
    return text + std::string(alignment - (prefix + text.size() + 1) % alignment, ' ') + '\n';
  };
  auto number = [](size_t n, int bytes) {
    std::string out;
    for (int i = 0; i < bytes; i++) out += static_cast<char>(n >> (8 * i) & 0xff);
    return out;
  };
  std::string body = padded(10);
  if (body.size() <= UINT16_MAX) {
    return std::string(magic) + std::string("\1\0", 2) + number(body.size(), 2) + body;
  }
  body = padded(12);
  return std::string(magic) + std::string("\2\0", 2) + number(body.size(), 4) + body;
}

NpyContent npy_content(const Array& given) {
  given.eval();
  Array columns = transpose(given);
  columns.eval();
  bool column_major =
      given.size() > 0 && !given.node()->row_contiguous() && columns.node()->row_contiguous();
  return {npy_header(given.dtype(), given.shape(), column_major),
          column_major ? columns : dense(given)};
}

}  // namespace io

Array load(const std::string& path, StreamOrDevice s) {
  Stream stream = to_stream(s);
  io::Bytes file = io::map_file("load", path);
  io::Origin origin{"load", path};
  io::Reader bytes(origin, file.data, file.size);
  auto read = [&](void* to, size_t n) {
    n = std::min<size_t>(n, bytes.remaining());
    std::memcpy(to, bytes.take(n, "header"), n);
    return n;
  };
  io::NpyHeader header = io::read_npy_header(read, origin);
  uint64_t wanted = io::stored_bytes(header.extent, header.storage);
  if (bytes.remaining() != wanted) {
    bytes.refuse(
        "data", fmt::format("shape and dtype want {} bytes, {} follow", wanted, bytes.remaining()));
  }
  return io::stored_array(file, bytes.here(), header.extent, header.dtype, stream, header.storage);
}

Array load(const ReadFunction& read, const std::string& label, StreamOrDevice s) {
  to_stream(s);
  io::Origin origin{"load", label};
  io::NpyHeader header = io::read_npy_header(read, origin);
  return io::read_array(read, origin, header.header_bytes, header.extent, header.dtype,
                        header.storage);
}

void save(const WriteFunction& write, const Array& array) {
  io::NpyContent content = io::npy_content(array);
  write(content.header.data(), content.header.size());
  write(content.array.raw_data(), content.array.nbytes());
}

void save(std::string path, const Array& array) {
  if (!path.ends_with(".npy")) path += ".npy";
  io::write_atomically("save", path, [&](const WriteFunction& sink) { save(sink, array); });
}

}  // namespace heddle
