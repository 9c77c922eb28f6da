// Calls become a graph: each is read by its dialect's row, on the inputs of now.
#include <algorithm>

#include "convert/calls.h"
#include "convert/other_sizes.h"
#include "core/node.h"
#include "transforms/graph.h"

namespace heddle::convert {
namespace {

bool agrees(const Array& a, const Aval& recorded) {
  return a.dtype() == recorded.dtype && a.shape() == recorded.shape;
}

// The sizes of the function's dimensions. Throws where axes of one dimension differ.
std::vector<int64_t> sizes_of(const Calls& f, const Arrays& inputs) {
  std::vector<int64_t> sizes;
  for (const Dimension& d : f.dimensions) {
    auto size = [&](std::pair<int, int> axis) {
      return inputs[static_cast<size_t>(axis.first)].shape(axis.second);
    };
    sizes.push_back(size(d.axes[0]));
    if (sizes.back() < d.least) {
      throw std::invalid_argument(fmt::format(
          "[Program] Axis {} of input {} has size {}: the function was found to be another one at "
          "other sizes than those of the export that are less than {}. Make a program for them.",
          d.axes[0].second, f.name_of(d.axes[0].first), sizes.back(), d.least));
    }
    for (auto axis : d.axes) {
      if (size(axis) == sizes.back()) continue;
      throw std::invalid_argument(
          fmt::format("[Program] Axis {} of input {} has size {}, and axis {} of input {} has {}: "
                      "in the inputs of the export they had one size{}, and they need one.",
                      d.axes[0].second, f.name_of(d.axes[0].first), sizes.back(), axis.second,
                      f.name_of(axis.first), size(axis), d.name.empty() ? "" : ", " + d.name));
    }
  }
  return sizes;
}

void set_number(AttributeValue& value, size_t element, int64_t number) {
  std::visit(
      [&](auto& v) {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, int64_t>) v = number;
        if constexpr (std::is_same_v<T, double>) v = static_cast<double>(number);
        if constexpr (std::is_same_v<T, Shape> || std::is_same_v<T, std::vector<int64_t>>) {
          v.at(element) = number;
        }
      },
      value);
}

class Builder {
 public:
  Builder(const Calls& f, const Dialect& dialect, const Arrays& inputs)
      : f_(f),
        dialect_(dialect),
        slots_(f.slots.size()),
        sizes_(sizes_of(f, inputs)),
        others_(f, inputs),
        stream_(to_stream({})) {
    for (size_t i = 0; i < inputs.size(); i++) slots_[i] = inputs[i];
    for (const auto& [slot, array] : f.constants) slots_[static_cast<size_t>(slot)] = array;
  }

  const OtherSizes& others() const { return others_; }
  Array& slot(int i) { return slots_[static_cast<size_t>(i)]; }
  // Whether all inputs are there: none comes from a call that was refused.
  bool has_inputs(const Call& c) {
    return std::all_of(c.inputs.begin(), c.inputs.end(),
                       [&](int i) { return static_cast<bool>(slot(i)); });
  }
  Avals recorded(const Call& c) const {
    if (!f_.results_recorded) return {};
    auto first = f_.slots.begin() + c.first_output;
    return {first, first + c.output_count};
  }

  // Throws what does not fit.
  Arrays results_of(const Call& c) {
    const ReaderRow* row = dialect_.reader(c.name);
    if (!row) {
      throw Refusal("R-OP-UNKNOWN",
                    fmt::format("heddle has no such operation of {}", dialect_.name()));
    }
    Arrays in;
    in.reserve(c.inputs.size());
    for (int i : c.inputs) in.push_back(slot(i));
    const int n = static_cast<int>(in.size());
    if (n < row->min_inputs || (row->max_inputs >= 0 && n > row->max_inputs)) {
      throw Refusal("R-OP-ARG", fmt::format("it cannot have {} inputs", n));
    }
    const Avals results = recorded(c);
    if (!f_.follows_sizes) others_.check(c, dialect_.follows_shapes(c), in, results);
    Attributes following;
    if (!c.following.empty()) following = followed(c);
    Arrays out =
        row->read({c, c.following.empty() ? c.attributes : following, in, results, stream_});
    if (static_cast<int>(out.size()) != c.output_count) {
      throw Refusal("R-OP-ARG",
                    fmt::format("it has {} results, {} are recorded", out.size(), c.output_count));
    }
    return out;
  }

 private:
  Attributes followed(const Call& c) const {
    Attributes attributes = c.attributes;
    for (const FollowingNumber& number : c.following) {
      __int128 value = number.rest;
      for (auto [dimension, factor] : number.terms) {
        value += static_cast<__int128>(factor) * sizes_[static_cast<size_t>(dimension)];
      }
      if (value != static_cast<int64_t>(value)) {
        throw Refusal("R-OP-ARG", fmt::format("{} does not fit 64 bits at this size",
                                              attributes[number.attribute].first));
      }
      set_number(attributes[number.attribute].second, number.element, static_cast<int64_t>(value));
    }
    return attributes;
  }

  const Calls& f_;
  const Dialect& dialect_;
  Arrays slots_;
  std::vector<int64_t> sizes_;
  OtherSizes others_;
  Stream stream_;
};

}  // namespace

Arrays build(const Calls& f, const Dialect& dialect, const Arrays& inputs, const Building& how) {
  Builder builder(f, dialect, inputs);
  for (const Call& c : f.calls) {
    Arrays out;
    try {
      out = builder.results_of(c);
    } catch (const SizeRefusal&) {
      throw;
    } catch (const std::logic_error& e) {  // what the public functions throw for bad arguments
      how.refuse(c, e.what());
      if (builder.others().differ()) {
        throw std::invalid_argument(builder.others().explain(c, e.what()));
      }
      const bool ours = dynamic_cast<const Refusal*>(&e);
      if (ours) throw std::invalid_argument(fmt::format("[{}] {}", c.name, e.what()));
      throw;
    } catch (const std::overflow_error& e) {
      how.refuse(c, e.what());
      throw;
    }
    const Avals recorded = how.verify ? builder.recorded(c) : Avals{};
    for (size_t k = 0; k < recorded.size(); k++) {
      if (agrees(out[k], recorded[k])) continue;
      how.refuse(c, fmt::format("result {} is {} of shape {}, recorded is {} of shape {}", k,
                                name_of(out[k].dtype()), to_string(out[k].shape()),
                                name_of(recorded[k].dtype), to_string(recorded[k].shape)));
    }
    if (how.built) how.built(c, out);
    for (size_t k = 0; k < out.size(); k++) {
      builder.slot(c.first_output + static_cast<int>(k)) = std::move(out[k]);
    }
  }
  Arrays outputs;
  outputs.reserve(f.outputs.size());
  for (int o : f.outputs) outputs.push_back(builder.slot(o));
  return outputs;
}

Report read_dry(Calls& f, const Dialect& dialect) {
  TracingScope tracing;
  Arrays inputs;
  for (int i = 0; i < f.input_count; i++) {
    const Aval& a = f.slots[static_cast<size_t>(i)];
    inputs.push_back(placeholder(a.shape, a.dtype));
  }
  Report report;
  report.dialect = dialect.name();
  report.steps = static_cast<int>(f.calls.size());
  Builder builder(f, dialect, inputs);
  for (const Call& c : f.calls) {
    if (!builder.has_inputs(c)) continue;
    Arrays out;
    try {
      out = builder.results_of(c);
      report.supported++;
    } catch (const std::exception& e) {
      const auto* refusal = dynamic_cast<const Refusal*>(&e);
      report.issues.push_back({refusal ? refusal->code : "R-OP-ARG", Issue::Severity::error, c.name,
                               e.what(), refusal ? refusal->hint : "", c.origin});
      for (const Aval& a : builder.recorded(c)) out.push_back(placeholder(a.shape, a.dtype));
    }
    for (size_t k = 0; k < out.size(); k++) {
      const int slot = c.first_output + static_cast<int>(k);
      f.slots[static_cast<size_t>(slot)] = {out[k].shape(), out[k].dtype()};
      builder.slot(slot) = std::move(out[k]);
    }
  }
  f.results_recorded |= report.runnable();
  return report;
}

}  // namespace heddle::convert
