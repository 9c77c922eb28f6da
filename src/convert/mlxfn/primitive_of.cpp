// The engine's own operations as primitives. Their names and attributes are those of the table that
// files are written and read by; their rules are the transformations of what they compute.
#include <algorithm>
#include <mutex>
#include <unordered_map>

#include "convert/mlxfn/primitives.h"
#include "convert/native/dialect.h"
#include "convert/recorder.h"
#include "core/graph_lock.h"
#include "core/node.h"
#include "heddle/primitive.h"
#include "heddle/transforms.h"
#include "transforms/own_primitive.h"
#include "transforms/rules.h"

namespace heddle {
namespace {

// MLX calls the cases of some kinds by names of their own.
std::string name_of_case(const std::string& kind, const std::vector<AttributeValue>& attributes) {
  struct Cases {
    const char* kind;
    std::vector<const char*> names;
  };
  static const std::vector<Cases> table{
      {"BitwiseBinary", {"BitwiseAnd", "BitwiseOr", "BitwiseXor", "LeftShift", "RightShift"}},
      {"Equal", {"Equal", "NaNEqual"}},
      {"Log", {"Log2", "Log10", "Log"}},
      {"Reduce", {"And", "Or", "Sum", "Prod", "Min", "Max"}},
      {"Scan", {"CumMax", "CumMin", "CumSum", "CumProd", "CumLogAddExp"}},
      {"Scatter", {"Scatter Max", "Scatter Min", "Scatter Sum", "Scatter Prod", "Scatter"}},
      {"ScatterAxis", {"ScatterAxis Sum", "ScatterAxis"}},
      {"SliceUpdate",
       {"SliceUpdate Max", "SliceUpdate Min", "SliceUpdate Sum", "SliceUpdate Prod",
        "SliceUpdate"}},
      {"Sqrt", {"Sqrt", "Rsqrt"}},
  };
  if (kind == "View" && !attributes.empty()) {
    return fmt::format("View {}", name_of(std::get<Dtype>(attributes[0])));
  }
  for (const Cases& cases : table) {
    if (kind != cases.kind || attributes.empty()) continue;
    const bool* flag = std::get_if<bool>(&attributes[0]);
    const int64_t* choice = std::get_if<int64_t>(&attributes[0]);
    const size_t at = flag ? *flag : choice ? static_cast<size_t>(*choice) : cases.names.size();
    if (at < cases.names.size()) return cases.names[at];
  }
  return kind;
}

// One that a node has.
class Operation final : public BuiltInPrimitive {
 public:
  Operation(OpRef op, std::string kind, std::vector<AttributeValue> attributes, Stream stream)
      : BuiltInPrimitive(std::move(kind), std::move(attributes), stream), op_(std::move(op)) {}

  Arrays results(const Arrays& inputs, const std::vector<Dtype>&) const override {
    return apply_multi(op_, inputs, stream());
  }
  bool is_equivalent(const Primitive& other) const override {
    const auto* o = dynamic_cast<const Operation*>(&other);
    return o ? op_->is_pure() && o->op_->equals(*op_) : BuiltInPrimitive::is_equivalent(other);
  }

 private:
  OpRef op_;
};

// One that is made by name.
class Named final : public BuiltInPrimitive {
 public:
  Named(const convert::mlxfn::Primitive& row, std::vector<AttributeValue> attributes, Stream stream)
      : BuiltInPrimitive(row.name, std::move(attributes), stream), row_(row) {}

  Arrays results(const Arrays& inputs, const std::vector<Dtype>& dtypes) const override {
    const int count = static_cast<int>(inputs.size());
    if (count < row_.min_inputs || (row_.max_inputs >= 0 && count > row_.max_inputs)) {
      throw std::invalid_argument(fmt::format(
          "[{}] {} inputs were given where {} are wanted.", name(), count,
          row_.max_inputs == row_.min_inputs ? std::to_string(row_.min_inputs)
          : row_.max_inputs < 0              ? fmt::format("{} or more", row_.min_inputs)
                                : fmt::format("{} to {}", row_.min_inputs, row_.max_inputs)));
    }
    Avals recorded;  // some rows follow the dtype that is stated for a result
    for (size_t k = 0; k < std::max<size_t>(dtypes.size(), 1); k++) {
      recorded.push_back({{},
                          k < dtypes.size() ? dtypes[k]
                          : inputs.empty()  ? float32
                                            : inputs[0].dtype()});
    }
    convert::Call call;
    call.name = row_.name;
    for (size_t i = 0; i < row_.fields.size(); i++) {
      call.attributes.emplace_back(row_.fields[i].name, attributes()[i]);
    }
    return row_.read({call, call.attributes, inputs, recorded, stream()});
  }

 private:
  const convert::mlxfn::Primitive& row_;
};

// One that MLX has not, by heddle's name for it.
std::shared_ptr<BuiltInPrimitive> own_operation(const std::string& kind,
                                                std::vector<AttributeValue> attributes,
                                                Stream stream) {
  const OpInfo* info = find_op(kind);
  if (!info || !info->make) {
    throw std::invalid_argument(
        fmt::format("[primitive] There is no operation of the name \"{}\".", kind));
  }
  Attributes fields;
  for (size_t i = 0; i < std::min(attributes.size(), info->fields.size()); i++) {
    fields.emplace_back(info->fields[i].name, attributes[i]);
  }
  return std::make_shared<Operation>(info->make(fields), kind, std::move(attributes), stream);
}

// C++ callers have lists for sizes and for places alike.
void adapt(AttributeValue& value, FieldKind kind) {
  const auto* list = std::get_if<std::vector<int64_t>>(&value);
  const auto* shape = std::get_if<Shape>(&value);
  if (list && kind == FieldKind::sizes) {
    value = Shape(list->begin(), list->end());
  } else if (shape && kind == FieldKind::axes) {
    value = std::vector<int64_t>(shape->begin(), shape->end());
  }
}

// Name and attributes of the one primitive that stands for an operation in files, MLX's where that
// has one; operands that are only broadcast or converted first do not count.
std::pair<std::string, std::vector<AttributeValue>> spelling_of(const Op& op,
                                                                const Arrays& inputs) {
  for (const auto* dialect : {&convert::mlxfn::dialect(), &convert::native::dialect()}) {
    try {
      TracingScope tracing;
      Arrays in;
      for (const Array& a : inputs) in.push_back(placeholder(a.shape(), a.dtype()));
      Arrays out = apply_multi(OpRef(&op), in, to_stream({}));
      convert::Calls f = convert::Recorder(*dialect, false).record(in, {}, out);
      auto prepares = [](const convert::Call& c) {
        return c.name == "Broadcast" || c.name == "AsType";
      };
      if (f.calls.size() > 1) std::erase_if(f.calls, prepares);
      if (f.calls.size() != 1) continue;
      std::vector<AttributeValue> values;
      for (auto& [field, value] : f.calls[0].attributes) values.push_back(std::move(value));
      return {f.calls[0].name, std::move(values)};
    } catch (const std::exception&) {
      // Files do not hold it.
    }
  }
  return {op.title(), {}};
}

// Operations are shared by nodes; a primitive is kept for each that somebody asked about and that
// still is in a graph.
class Asked {
 public:
  std::shared_ptr<Primitive> find(const OpRef& op, const Arrays& inputs, int stream) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (known_.size() >= limit_) {
      std::erase_if(known_, [](const auto& k) { return k.second.use_count() == 1; });
      limit_ = std::max<size_t>(64, 2 * known_.size());
    }
    auto& at = known_[{op.get(), stream}];
    if (!at) {
      auto [name, attributes] = spelling_of(*op, inputs);
      at = std::make_shared<Operation>(op, std::move(name), std::move(attributes),
                                       Stream{stream, Device{}});
    }
    return at;
  }

 private:
  struct Hash {
    size_t operator()(const std::pair<const Op*, int>& k) const {
      return std::hash<const Op*>{}(k.first) * 31 + static_cast<size_t>(k.second);
    }
  };
  std::mutex mutex_;
  std::unordered_map<std::pair<const Op*, int>, std::shared_ptr<Primitive>, Hash> known_;
  size_t limit_ = 64;
};

}  // namespace

std::shared_ptr<Primitive> Array::primitive() const {
  auto [op, inputs] = walk_graph([&](Unfinished& unfinished) {
    const bool others = !node_->available() && unfinished.has(node_);
    return others ? std::pair<OpRef, Arrays>() : std::pair(node_->op, node_->inputs);
  });
  if (!op) {
    throw std::invalid_argument(
        "[primitive] The array has none: it is data, evaluated, or stands for an argument.");
  }
  if (op->runs_own_code()) return static_cast<const OwnPrimitive&>(*op).primitive();
  static auto* asked = new Asked;
  return asked->find(op, inputs, node_->stream);
}

BuiltInPrimitive::BuiltInPrimitive(std::string kind, std::vector<AttributeValue> attributes,
                                   Stream stream)
    : Primitive(stream),
      kind_(std::move(kind)),
      name_(name_of_case(kind_, attributes)),
      attributes_(std::move(attributes)) {}

std::shared_ptr<BuiltInPrimitive> BuiltInPrimitive::make(const std::string& kind,
                                                         std::vector<AttributeValue> attributes,
                                                         Stream stream) {
  const convert::mlxfn::Primitive* row = convert::mlxfn::find_primitive(kind);
  if (!row) return own_operation(kind, std::move(attributes), stream);
  // What older files leave out may be left out here.
  for (size_t i = attributes.size(); i < row->fields.size(); i++) {
    attributes.push_back(row->fields[i].missing);
  }
  bool fit = attributes.size() == row->fields.size();
  for (size_t i = 0; fit && i < attributes.size(); i++) {
    const convert::mlxfn::Field& field = row->fields[i];
    const FieldInfo info = field.info();
    adapt(attributes[i], info.kind);
    fit = detail::fits(info, attributes[i]) && field.in_range(attributes[i]);
  }
  if (!fit) {
    std::string wanted;
    for (const convert::mlxfn::Field& f : row->fields)
      wanted += (wanted.empty() ? "" : ", ") + std::string(f.name);
    throw std::invalid_argument(
        fmt::format("[{}] Its attributes are ({}); those given do not fit.", kind, wanted));
  }
  return std::make_shared<Named>(*row, std::move(attributes), stream);
}

void BuiltInPrimitive::eval_cpu(const Arrays& inputs, Arrays& outputs) {
  std::vector<Dtype> dtypes;
  for (const Array& o : outputs) dtypes.push_back(o.dtype());
  Arrays made = results(inputs, dtypes);
  eval(made);
  for (size_t k = 0; k < outputs.size(); k++) outputs[k].copy_shared_buffer(made[k]);
}

namespace {

Arrays pick(const Arrays& arrays, const std::vector<int>& indices) {
  Arrays some;
  for (int i : indices) some.push_back(arrays[static_cast<size_t>(i)]);
  return some;
}

// The primitive as a function of some of its inputs.
Function function_of(const BuiltInPrimitive& p, const Arrays& inputs,
                     const std::vector<int>& argnums) {
  return [&](const Arrays& some) {
    Arrays all = inputs;
    for (size_t k = 0; k < argnums.size(); k++) all[static_cast<size_t>(argnums[k])] = some[k];
    return p.results(all, {});
  };
}

}  // namespace

Arrays BuiltInPrimitive::jvp(const Arrays& primals, const Arrays& tangents,
                             const std::vector<int>& argnums) {
  return heddle::jvp(function_of(*this, primals, argnums), pick(primals, argnums), tangents).second;
}

Arrays BuiltInPrimitive::vjp(const Arrays& primals, const Arrays& cotangents,
                             const std::vector<int>& argnums, const Arrays&) {
  return heddle::vjp(function_of(*this, primals, argnums), pick(primals, argnums), cotangents)
      .second;
}

std::pair<Arrays, std::vector<int>> BuiltInPrimitive::vmap(const Arrays& inputs,
                                                           const std::vector<int>& axes) {
  std::vector<int> from;
  for (int a : axes) from.push_back(a < 0 ? no_batch_axis : a);
  Arrays outputs = heddle::vmap([&](const Arrays& x) { return results(x, {}); }, from)(inputs);
  std::vector<int> to(outputs.size(), 0);
  return {std::move(outputs), std::move(to)};
}

bool BuiltInPrimitive::is_equivalent(const Primitive& other) const {
  const auto* o = dynamic_cast<const BuiltInPrimitive*>(&other);
  return o && kind_ == o->kind_ && attributes_ == o->attributes_;
}

std::vector<Shape> BuiltInPrimitive::output_shapes(const Arrays& inputs) {
  std::vector<Shape> shapes;
  for (const Array& a : results(inputs, {})) shapes.push_back(a.shape());
  return shapes;
}

}  // namespace heddle
