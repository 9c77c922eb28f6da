// The rows as two tables.
#include <algorithm>

#include "convert/mlxfn/primitives.h"
#include "convert/recorder.h"

namespace heddle::convert::mlxfn {
namespace {

// Operands brought to the shape that they have together.
std::vector<int> broadcast_operands(const Writing& w) {
  std::vector<int> slots = w.in;
  for (size_t i = 0; i < slots.size() && slots.size() > 1; i++) {
    std::vector<int> others = w.in;
    others.erase(others.begin() + static_cast<long>(i));
    slots[i] = w.to.broadcast(w.in[i], w.out[0].shape, others);
  }
  return slots;
}

WriterRow row_of(const Spelling& s) {
  WriterRow row{s.write, s.lower, s.pins_sizes};
  if (row.write || !s.primitive) return row;
  row.write = [&s](const Writing& w) {
    return emit(w, s.primitive, s.state ? s.state(w) : Values{},
                s.broadcasts ? broadcast_operands(w) : w.in, w.out);
  };
  return row;
}

class MlxDialect final : public TableDialect {
 public:
  MlxDialect() {
    for (auto* rows : {pointwise_rows, shape_rows, index_rows, reduce_rows, product_rows, fast_rows,
                       linalg_rows, fft_rows, quantize_rows}) {
      families_.push_back(rows());
    }
    for (const Rows& rows : families_) {
      for (const Primitive& p : rows.primitives) {
        primitives_[p.name] = &p;
        readers[p.name] = {p.min_inputs, p.max_inputs, p.read};
      }
      for (const Spelling& s : rows.spellings) writers[s.op] = row_of(s);
    }
  }
  const char* name() const override { return "MLX"; }

  const Primitive* primitive(const std::string& name) const {
    auto at = primitives_.find(name);
    return at == primitives_.end() ? nullptr : at->second;
  }

 private:
  std::vector<Rows> families_;
  std::unordered_map<std::string, const Primitive*> primitives_;
};

const MlxDialect& tables() {
  static const MlxDialect t;
  return t;
}

}  // namespace

FieldInfo Field::info() const {
  auto kind_of = [](Kind k) {
    switch (k) {
      case Kind::boolean:
        return FieldKind::boolean;
      case Kind::integer:
      case Kind::choice:
        return FieldKind::integer;
      case Kind::size:
        return FieldKind::wide;
      case Kind::real32:
      case Kind::real64:
        return FieldKind::real64;
      case Kind::dtype:
        return FieldKind::dtype;
      case Kind::text:
        return FieldKind::text;
      case Kind::shape:
      case Kind::strides:
        return FieldKind::sizes;
      case Kind::axes:
      case Kind::sizes:
        return FieldKind::axes;
    }
    return FieldKind::wide;
  };
  return {name, kind_of(kind), {}, false};
}

bool Field::in_range(const AttributeValue& value) const {
  if (kind == Kind::size) return std::get<int64_t>(value) >= 0;
  if (kind == Kind::choice) {
    const int64_t choice = std::get<int64_t>(value);
    return choice >= 0 && choice < choices;
  }
  if (kind != Kind::sizes) return true;
  const auto& list = std::get<std::vector<int64_t>>(value);
  return std::all_of(list.begin(), list.end(), [](int64_t n) { return n >= 0; });
}

const Dialect& dialect() { return tables(); }
const Primitive* find_primitive(const std::string& name) { return tables().primitive(name); }

std::vector<int> emit(const Writing& w, const char* name, Values state, std::vector<int> in,
                      const Avals& out) {
  const std::vector<Field>& fields = find_primitive(name)->fields;
  Attributes attributes;
  for (size_t i = 0; i < state.size(); i++) {
    attributes.emplace_back(fields.at(i).name, std::move(state[i]));
  }
  return w.to.emit(name, std::move(attributes), std::move(in), out);
}

int emit_one(const Writing& w, const char* name, Values state, std::vector<int> in, Aval out) {
  return emit(w, name, std::move(state), std::move(in), {std::move(out)})[0];
}

}  // namespace heddle::convert::mlxfn
