#include <limits>
#include <unordered_map>

#include "convert/mlxfn/file.h"
#include "convert/mlxfn/primitives.h"
#include "core/node.h"
#include "io/stored.h"

namespace heddle::convert::mlxfn {
namespace {

class Writer {
 public:
  explicit Writer(const WriteFunction& sink) : sink_(sink) {}

  template <class T>
  void raw(T value) {
    put(&value, sizeof(T));
  }
  void put(const void* data, size_t bytes) {
    const char* at = static_cast<const char*>(data);
    pending_.insert(pending_.end(), at, at + bytes);
    if (pending_.size() >= 1 << 16) flush();
  }
  void flush() {
    if (!pending_.empty()) sink_(pending_.data(), pending_.size());
    pending_.clear();
  }
  void boolean(bool b) { raw<uint8_t>(b); }
  void integer(int64_t v) { raw(static_cast<int32_t>(checked(v))); }
  void count(size_t n) { raw<uint64_t>(n); }
  void text(const std::string& s) {
    count(s.size());
    put(s.data(), s.size());
  }
  template <class V>
  void integers(const V& values) {
    count(values.size());
    for (int64_t v : values) integer(v);
  }
  void dtype(Dtype t) {
    integer(static_cast<int>(t));
    raw(static_cast<uint8_t>(size_of(t)));
  }
  void bytes_of(const Array& a) {
    // Row by row, whatever the strides: a file says nothing of them.
    Array rows = io::dense(a);
    flush();
    if (rows.nbytes() > 0) sink_(rows.raw_data(), rows.nbytes());
  }

  void state(const Call& c, Version version) {
    const std::vector<Field>& fields = find_primitive(c.name)->fields;
    for (size_t i = 0; i < fields.size(); i++) {
      const Field& f = fields[i];
      const AttributeValue& v = c.attributes[i].second;
      if (f.only_heddle || version < f.since) continue;
      switch (f.kind) {
        case Kind::boolean:
          boolean(std::get<bool>(v));
          break;
        case Kind::integer:
        case Kind::choice:
          integer(std::get<int64_t>(v));
          break;
        case Kind::size:
          raw(static_cast<uint64_t>(std::get<int64_t>(v)));
          break;
        case Kind::real32:
          raw(static_cast<float>(std::get<double>(v)));
          break;
        case Kind::real64:
          raw(std::get<double>(v));
          break;
        case Kind::dtype:
          dtype(std::get<Dtype>(v));
          break;
        case Kind::text:
          text(std::get<std::string>(v));
          break;
        case Kind::shape:
          integers(std::get<Shape>(v));
          break;
        case Kind::axes:
          integers(std::get<std::vector<int64_t>>(v));
          break;
        case Kind::strides: {
          const Shape& strides = std::get<Shape>(v);
          count(strides.size());
          for (int64_t s : strides) raw(s);
          break;
        }
        case Kind::sizes: {
          const auto& sizes = std::get<std::vector<int64_t>>(v);
          count(sizes.size());
          for (int64_t s : sizes) raw(static_cast<uint64_t>(s));
          break;
        }
      }
    }
  }

 private:
  static int64_t checked(int64_t v) {
    if (v < std::numeric_limits<int32_t>::min() || v > std::numeric_limits<int32_t>::max()) {
      throw std::invalid_argument(fmt::format(
          "[export_function] {} does not fit the 32 bits that .mlxfn files have for it.", v));
    }
    return v;
  }

  const WriteFunction& sink_;
  std::vector<char> pending_;
};

class FunctionWriter {
 public:
  FunctionWriter(Writer& out, Version version) : out_(out), version_(version) {}

  void write(const Calls& f) {
    std::vector<uint64_t> ids(f.slots.size());
    std::unordered_map<int, const Array*> constants;
    for (const auto& [slot, array] : f.constants) {
      constants[slot] = &array;
      auto [at, is_new] = shared_.try_emplace(array.node(), 0);
      if (is_new) at->second = ++last_;
      ids[static_cast<size_t>(slot)] = at->second;
    }
    for (size_t i = 0; i < ids.size(); i++) {
      if (!ids[i]) ids[i] = ++last_;
    }
    auto id_of = [&](int slot) { return ids[static_cast<size_t>(slot)]; };
    auto list_ids = [&](const std::vector<int>& slots) {
      out_.count(slots.size());
      for (int s : slots) out_.raw(id_of(s));
    };

    out_.count(f.keywords.size());
    for (const auto& k : f.keywords) out_.text(k);
    out_.count(static_cast<size_t>(f.input_count));
    for (int i = 0; i < f.input_count; i++) out_.raw(id_of(i));
    out_.count(static_cast<size_t>(f.input_count));
    for (int i = 0; i < f.input_count; i++) aval(f.slots[static_cast<size_t>(i)]);
    list_ids(f.outputs);

    out_.count(static_cast<size_t>(f.input_count) + f.constants.size() + f.calls.size());
    for (int i = 0; i < f.input_count; i++) {
      out_.raw(id_of(i));
      out_.boolean(false);
      out_.boolean(false);
    }
    for (const auto& [slot, array] : f.constants) {
      out_.raw(id_of(slot));
      out_.boolean(false);
      out_.boolean(true);
      if (written_.try_emplace(array.node(), true).second) {
        aval(f.slots[static_cast<size_t>(slot)]);
        out_.bytes_of(array);
      }
    }
    for (const Call& c : f.calls) {
      out_.raw(id_of(c.first_output));
      out_.boolean(true);
      list_ids(c.inputs);
      for (int k = 0; k < 3; k++) out_.integer(0);  // the first stream of the CPU
      out_.text(c.name);
      out_.state(c, version_);
      results(f, c, id_of);
    }
  }

 private:
  void aval(const Aval& a) {
    out_.integers(a.shape);
    out_.dtype(a.dtype);
  }
  template <class F>
  void results(const Calls& f, const Call& c, F&& id_of) {
    auto first = f.slots.begin() + c.first_output;
    size_t n = static_cast<size_t>(c.output_count);
    out_.count(n - 1);  // siblings
    if (n == 1) {
      aval(*first);
      return;
    }
    out_.count(n);
    for (size_t k = 0; k < n; k++) out_.raw(id_of(c.first_output + static_cast<int>(k)));
    out_.count(n);
    for (size_t k = 0; k < n; k++) out_.integers(first[static_cast<long>(k)].shape);
    out_.count(n);
    for (size_t k = 0; k < n; k++) out_.dtype(first[static_cast<long>(k)].dtype);
  }

  Writer& out_;
  Version version_;
  uint64_t last_ = 0;
  std::unordered_map<const Node*, uint64_t> shared_;
  std::unordered_map<const Node*, bool> written_;
};

// The first version that holds the record.
Version version_for(const Call& c) {
  const Primitive& p = *find_primitive(c.name);
  Version v = p.written_since;
  for (size_t i = 0; i < p.fields.size(); i++) {
    const Field& f = p.fields[i];
    if (!f.only_heddle && c.attributes[i].second != f.missing) v = std::max(v, f.since);
  }
  return v;
}

}  // namespace

void write(const FunctionFile& file, const WriteFunction& sink) {
  // The first version with metadata in the header, whose other layouts are what is written here.
  Version version{0, 32, 2};
  for (const Calls& f : file.functions) {
    for (const Call& c : f.calls) version = std::max(version, version_for(c));
  }
  Writer out(sink);
  out.text(fmt::format("{}.{}.{}", version.major, version.minor, version.patch));
  out.integer(static_cast<int64_t>(file.functions.size()));
  out.boolean(file.shapeless);
  out.text(file.metadata);
  FunctionWriter functions(out, version);
  for (const Calls& f : file.functions) functions.write(f);
  out.flush();
}

}  // namespace heddle::convert::mlxfn
