#include "convert/following_sizes.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <optional>
#include <set>

#include "heddle/ops.h"
#include "transforms/graph.h"

namespace heddle::convert {
namespace {

using InputAxis = std::pair<int, int>;

Graph graph_of(const Traced& t, Arrays* values = nullptr) {
  return capture(t.inputs, t.outputs, values, Capturing::everything);
}

// Where two graphs differ beyond constants and attributes; empty: nowhere.
std::string difference(const Graph& a, const Graph& b) {
  for (size_t k = 0; k < std::min(a.steps.size(), b.steps.size()); k++) {
    const auto &x = a.steps[k], &y = b.steps[k];
    if (&x.op->info() != &y.op->info()) {
      return fmt::format("step {} is {} there, {} here", k, y.op->name(), x.op->name());
    }
    if (x.inputs != y.inputs || x.first_output != y.first_output) {
      return fmt::format("step {}, {}, has other operands there", k, x.op->name());
    }
  }
  if (a.steps.size() != b.steps.size() || a.constants.size() != b.constants.size() ||
      a.outputs != b.outputs) {
    return fmt::format("it has {} steps there, {} here", b.steps.size(), a.steps.size());
  }
  for (size_t k = 0; k < a.constants.size(); k++) {
    if (a.constants[k].first != b.constants[k].first ||
        a.constants[k].second.dtype() != b.constants[k].second.dtype()) {
      return fmt::format("constant {} is of another dtype there", k);
    }
  }
  return "";
}

bool same_bits(const Array& a, const Array& b) {
  if (a.same_as(b)) return true;
  if (!(a.shape() == b.shape())) return false;
  const Array x = contiguous(a), y = contiguous(b);
  eval({x, y});
  return std::memcmp(x.raw_data(), y.raw_data(), x.nbytes()) == 0;
}

// A scalar's value; none for what a double does not hold.
std::optional<double> number(const Array& a) {
  if (a.ndim() != 0 || is_complex(a.dtype())) return {};
  return astype(a, float64).item<double>();
}

// The whole numbers of an attribute; none if it is something else.
std::optional<std::vector<int64_t>> numbers(const AttributeValue& value) {
  if (const auto* v = std::get_if<int64_t>(&value)) return {{*v}};
  if (const auto* v = std::get_if<double>(&value)) {
    if (*v != std::floor(*v) || std::abs(*v) > 0x1p53) return {};
    return {{static_cast<int64_t>(*v)}};
  }
  if (const auto* v = std::get_if<Shape>(&value)) return {{v->begin(), v->end()}};
  if (const auto* v = std::get_if<std::vector<int64_t>>(&value)) return *v;
  return {};
}

// A graph at the sizes of the trace, and with a dimension longer by two steps.
struct Samples {
  int dimension;
  int64_t size, first, second;
  Graph near, far;

  std::optional<int64_t> factor(int64_t here, int64_t there, int64_t further) const {
    const int64_t rise = there - here;
    if (rise % first != 0 || here + rise / first * second != further) return {};
    return rise / first;
  }
};

class Difference {
 public:
  Difference(const Traced& traced, const TraceAt& trace_at)
      : traced_(traced), trace_at_(trace_at), graph_(graph_of(traced, &values_)) {}

  FollowedSizes guess() {
    for_each_axis([&](InputAxis a) { look_at(a); });
    FollowedSizes out = finish();
    out.known = true;
    for_each_axis([&](InputAxis a) { out.known &= seen_.contains(a); });
    return out;
  }

  std::string what_depends_on(InputAxis axis) {
    const Dimension d{"", {axis}};
    std::optional<Graph> other;
    try {
      other = graph_of(trace_at_(longer_shapes({{&d, 1}})));
    } catch (const std::exception&) {
      return "";
    }
    if (!difference(graph_, *other).empty()) return "the operations";
    for (size_t k = 0; k < graph_.steps.size(); k++) {
      const Op& op = *graph_.steps[k].op;
      if (!op.equals(*other->steps[k].op)) return "an attribute of " + op.name();
    }
    for (size_t k = 0; k < graph_.constants.size(); k++) {
      if (!same_bits(graph_.constants[k].second, other->constants[k].second)) {
        return fmt::format("constant {}", k);
      }
    }
    return "";
  }

  FollowedSizes named(std::vector<Dimension> dimensions) {
    strict_ = true;
    for (Dimension& d : dimensions) compare(std::move(d));
    FollowedSizes out = finish();
    out.known = out.strict = true;
    return out;
  }

 private:
  // Of a constant: value = factor * size + rest.
  struct Line {
    int dimension;
    double factor, rest;
  };
  // Of attributes: by step, attribute and element.
  using Place = std::tuple<size_t, size_t, size_t>;

  int64_t size(InputAxis a) const {
    return traced_.inputs[static_cast<size_t>(a.first)].shape(a.second);
  }
  template <class F>
  void for_each_axis(F f) const {
    for (int i = 0; i < static_cast<int>(traced_.inputs.size()); i++) {
      for (int k = 0; k < traced_.inputs[static_cast<size_t>(i)].ndim(); k++) f(InputAxis{i, k});
    }
  }

  using Longer = std::vector<std::pair<const Dimension*, int64_t>>;  // by how much

  std::vector<Shape> longer_shapes(const Longer& by) const {
    std::vector<Shape> shapes;
    for (const Array& x : traced_.inputs) shapes.push_back(x.shape());
    for (auto [dimension, more] : by) {
      for (auto [input, axis] : dimension->axes) {
        shapes[static_cast<size_t>(input)][static_cast<size_t>(axis)] += more;
      }
    }
    return shapes;
  }

  // The graph with these dimensions longer. Throws what the function throws, and
  // std::invalid_argument if it is another graph.
  Graph longer(const Longer& by) const {
    Graph other = graph_of(trace_at_(longer_shapes(by)));
    if (std::string d = difference(graph_, other); !d.empty()) throw std::invalid_argument(d);
    return other;
  }

  // Sizes that a function divides by are often multiples of something: where the next one does not
  // do, twice and three times the size may.
  Samples sample(const Dimension& d) const {
    const int64_t n = size(d.axes[0]);
    const int index = static_cast<int>(dimensions_.size());
    auto at = [&](int64_t first, int64_t second) {
      return Samples{index, n, first, second, longer({{&d, first}}), longer({{&d, second}})};
    };
    try {
      return at(1, 3);
    } catch (const std::exception&) {
      if (n < 2) throw;
    }
    return at(n, 2 * n);
  }

  void look_at(InputAxis a) {
    if (size(a) == 0 || seen_.contains(a)) return;
    for (const bool together : {false, true}) {
      Dimension d{"", {a}};
      for_each_axis([&](InputAxis o) {
        if (together && o != a && size(o) == size(a)) d.axes.push_back(o);
      });
      const std::vector<InputAxis> axes = d.axes;
      try {
        compare(std::move(d));
      } catch (const std::exception&) {
        continue;
      }
      seen_.insert(axes.begin(), axes.end());
      return;
    }
  }

  void compare(Dimension d) {
    const Samples s = [&] {
      try {
        return sample(d);
      } catch (const std::exception& e) {
        if (strict_) {
          refuse(d, "the function", fmt::format("it does not serve other sizes: {}", e.what()));
        }
        throw;
      }
    }();
    dimensions_.push_back(std::move(d));
    for (size_t k = 0; k < graph_.constants.size(); k++) compare_constant(s, k);
    for (size_t k = 0; k < graph_.steps.size(); k++) compare_step(s, k);
    // What is asked of a size, which leaves no trace, may be answered otherwise at others: one
    // less, twice as much, and one, where much is different.
    for (const int64_t n : {s.size - 1, 2 * s.size}) {
      if (n < 2) continue;
      const std::string problem = surprise(s.dimension, n);
      if (!problem.empty()) fix(s.dimension, fmt::format("at size {}", n), problem);
    }
    if (s.size > 1 && !surprise(s.dimension, 1).empty()) {
      dimensions_[static_cast<size_t>(s.dimension)].least = 2;
    }
  }

  // What is not as it was found to be where the dimension has this size; empty: nothing, or the
  // function does not run there.
  std::string surprise(int dimension, int64_t size_there) const {
    const Dimension& d = dimensions_[static_cast<size_t>(dimension)];
    const int64_t more = size_there - size(d.axes[0]);
    Graph there;
    try {
      there = graph_of(trace_at_(longer_shapes({{&d, more}})));
    } catch (const std::exception&) {
      return "";
    }
    if (std::string other = difference(graph_, there); !other.empty()) return other;
    for (size_t k = 0; k < graph_.constants.size(); k++) {
      const Array &x = graph_.constants[k].second, &y = there.constants[k].second;
      if (!same_bits(x, y) && !follows(k, dimension, more, x, y)) {
        return fmt::format("constant {} is another one", k);
      }
    }
    for (size_t k = 0; k < graph_.steps.size(); k++) {
      const Op &x = *graph_.steps[k].op, &y = *there.steps[k].op;
      if (!x.equals(y) && !follows(k, dimension, more, x, y)) {
        return fmt::format("{} has other attributes", x.name());
      }
    }
    return "";
  }
  bool follows(size_t constant, int dimension, int64_t more, const Array& here,
               const Array& there) const {
    const auto x = number(here), y = number(there);
    auto at = lines_.find(constant);
    if (!x || !y || at == lines_.end()) return false;
    double wanted = *x;
    for (const Line& line : at->second) {
      if (line.dimension == dimension) wanted += line.factor * static_cast<double>(more);
    }
    return wanted == *y;
  }
  bool follows(size_t step, int dimension, int64_t more, const Op& here, const Op& there) const {
    if (!here.info().make) return false;
    const Attributes a = here.attributes(), b = there.attributes();
    for (size_t i = 0; i < a.size(); i++) {
      if (a[i].second == b[i].second && !terms_.contains({step, i, 0})) continue;
      auto x = numbers(a[i].second);
      const auto y = numbers(b[i].second);
      if (!x || !y || x->size() != y->size()) return false;
      for (size_t e = 0; e < x->size(); e++) {
        auto at = terms_.find({step, i, e});
        if (at == terms_.end()) continue;
        for (auto [d, factor] : at->second) (*x)[e] += d == dimension ? factor * more : 0;
      }
      if (*x != *y) return false;
    }
    return true;
  }

  void compare_constant(const Samples& s, size_t k) {
    const Array &here = graph_.constants[k].second, &there = s.near.constants[k].second,
                &further = s.far.constants[k].second;
    if (same_bits(here, there) && same_bits(here, further)) return;
    const auto x = number(here), y = number(there), z = number(further);
    if (x && y && z) {
      const double factor = (*y - *x) / static_cast<double>(s.first);
      if (factor != 0 && *x + factor * static_cast<double>(s.second) == *z) {
        lines_[k].push_back({s.dimension, factor, *x - factor * static_cast<double>(s.size)});
        return;
      }
    }
    fix(s.dimension, fmt::format("constant {}", k), "it is no multiple of the size and a number");
  }

  void compare_step(const Samples& s, size_t k) {
    const Op &here = *graph_.steps[k].op, &there = *s.near.steps[k].op,
             &further = *s.far.steps[k].op;
    if (here.equals(there) && here.equals(further)) return;
    if (!here.info().make) {
      fix(s.dimension, here.name(), "it is another operation at another size");
      return;
    }
    const Attributes a = here.attributes(), b = there.attributes(), c = further.attributes();
    for (size_t i = 0; i < a.size(); i++) {
      if (a[i].second == b[i].second && a[i].second == c[i].second) continue;
      const auto x = numbers(a[i].second), y = numbers(b[i].second), z = numbers(c[i].second);
      bool fits = x && y && z && x->size() == y->size() && x->size() == z->size();
      for (size_t e = 0; fits && e < x->size(); e++) {
        const auto factor = s.factor((*x)[e], (*y)[e], (*z)[e]);
        fits = factor && std::abs(*factor) <= most_following &&
               std::abs((*x)[e] - *factor * s.size) <= most_following;
        if (fits && *factor != 0) terms_[{k, i, e}].emplace_back(s.dimension, *factor);
      }
      if (!fits) {
        fix(s.dimension, fmt::format("{} of {}", a[i].first, here.name()),
            fmt::format("it is {} here and {} at another size, no multiple of it and a number",
                        to_string(a[i].second),
                        to_string(a[i].second == b[i].second ? c[i].second : b[i].second)));
      }
    }
  }

  [[noreturn]] void refuse(const Dimension& d, const std::string& what,
                           const std::string& problem) const {
    Report report{"heddle", static_cast<int>(graph_.steps.size()), 0, {}};
    report.issues.push_back({"R-CAP-SHAPE",
                             Issue::Severity::error,
                             what,
                             problem,
                             "compute it with arrays, or leave the size as it is in the example",
                             {}});
    throw ConversionError(
        fmt::format("[Program] The size {} cannot change: {}: {}.", d.name, what, problem),
        std::move(report));
  }
  void fix(int dimension, const std::string& what, const std::string& problem) {
    const Dimension& d = dimensions_[static_cast<size_t>(dimension)];
    if (strict_) refuse(d, what, problem);
    fixed_.insert(d.axes.begin(), d.axes.end());
  }

  // Numbers that follow several sizes were seen to follow each alone; their sum is looked at, too.
  void check_sums() {
    std::set<int> several;
    for (const auto& [place, terms] : terms_) {
      for (const auto& term : terms) {
        if (terms.size() > 1) several.insert(term.first);
      }
    }
    if (several.empty()) return;
    Longer by;
    for (int d : several) {
      const Dimension& dimension = dimensions_[static_cast<size_t>(d)];
      by.emplace_back(&dimension, size(dimension.axes[0]));
    }
    std::optional<Graph> other;
    try {
      other = longer(by);
    } catch (const std::exception&) {  // it stays unknown
    }
    for (const auto& [place, terms] : terms_) {
      if (terms.size() < 2) continue;
      auto [k, i, e] = place;
      int64_t wanted = (*numbers(graph_.steps[k].op->attributes()[i].second))[e];
      for (auto [d, factor] : terms) {
        wanted += factor * size(dimensions_[static_cast<size_t>(d)].axes[0]);
      }
      const auto is = other ? numbers(other->steps[k].op->attributes()[i].second) : std::nullopt;
      if (is && is->size() > e && (*is)[e] == wanted) continue;
      for (auto [d, factor] : terms) {
        fix(d, graph_.steps[k].op->name(), "a number of it depends on a product of sizes");
      }
    }
  }

  FollowedSizes finish() {
    check_sums();
    for (const auto& [constant, lines] : lines_) {
      if (lines.size() == 1) {
        graph_.constants[constant].second = computed(lines[0], graph_.constants[constant].second);
        continue;
      }
      for (const Line& line : lines) {
        fix(line.dimension, fmt::format("constant {}", constant), "it depends on several sizes");
      }
    }
    FollowedSizes out;
    for (const auto& [place, terms] : terms_) {
      auto [k, i, e] = place;
      OpRef& op = graph_.steps[k].op;
      const Attributes attributes = op->attributes();
      if (!out.ops.contains(op.get())) {  // one that no other step has
        op = op->info().make(attributes);
        out.ops[op.get()].op = op;
      }
      FollowingNumber n{i, e, (*numbers(attributes[i].second))[e], terms};
      for (auto [d, factor] : terms) {
        n.rest -= factor * size(dimensions_[static_cast<size_t>(d)].axes[0]);
      }
      out.ops[op.get()].numbers.push_back(std::move(n));
    }
    if (lines_.empty() && out.ops.empty()) {
      out.outputs = traced_.outputs;
    } else {
      Arrays now;
      out.outputs = replay(graph_, traced_.inputs, true, &now);
      for (size_t k = 0; k < now.size(); k++) out.replaced.emplace_back(values_[k], now[k]);
    }
    out.dimensions = std::move(dimensions_);
    out.fixed.assign(fixed_.begin(), fixed_.end());
    out.needed = out.fixed;
    return out;
  }

  Array computed(const Line& line, const Array& constant) const {
    const auto [input, axis] = dimensions_[static_cast<size_t>(line.dimension)].axes[0];
    const Array& x = traced_.inputs[static_cast<size_t>(input)];
    Array value = number_of_elements(x, {axis}, false, float64);
    if (line.factor != 1) value = multiply(value, Array(line.factor, float64));
    if (line.rest != 0) value = add(value, Array(line.rest, float64));
    return astype(value, constant.dtype());
  }

  const Traced& traced_;
  const TraceAt& trace_at_;
  Arrays values_;  // of the graph's slots
  Graph graph_;
  bool strict_ = false;
  std::vector<Dimension> dimensions_;
  std::map<size_t, std::vector<Line>> lines_;                    // by constant
  std::map<Place, std::vector<std::pair<int, int64_t>>> terms_;  // (dimension, factor)
  std::set<InputAxis> seen_, fixed_;
};

}  // namespace

FollowedSizes follow_sizes(const Traced& traced, const TraceAt& trace_at) {
  return Difference(traced, trace_at).guess();
}

std::string what_depends_on(const Traced& traced, const TraceAt& trace_at,
                            std::pair<int, int> axis) {
  return Difference(traced, trace_at).what_depends_on(axis);
}

FollowedSizes follow_sizes(const Traced& traced, const TraceAt& trace_at,
                           std::vector<Dimension> dimensions) {
  return Difference(traced, trace_at).named(std::move(dimensions));
}

}  // namespace heddle::convert
