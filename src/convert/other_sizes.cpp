#include "convert/other_sizes.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "heddle/ops.h"

namespace heddle::convert {
namespace {

// No size, if the product is none.
int64_t times(int64_t a, int64_t b) {
  int64_t product;
  return __builtin_mul_overflow(a, b, &product) ? -2 : product;
}

// One call at the sizes of a call.
struct Case {
  const Call& call;
  const std::vector<const Aval*>& traced;  // its inputs
  const Arrays& in;
  const Avals& recorded;  // its results
  const std::set<int64_t>& changed;

  template <class T>
  T field(const char* name) const {
    for (const auto& [field, value] : call.attributes) {
      if (field == name) return std::get<T>(value);
    }
    throw std::logic_error(std::string("[import_function] there is no field ") + name);
  }
  const Shape shape(const char* name) const { return field<Shape>(name); }
  int axis(const char* name) const { return static_cast<int>(field<int64_t>(name)); }
  const Shape& traced_shape(size_t k = 0) const { return traced[k]->shape; }
  bool moved(size_t k, size_t axis) const { return traced_shape(k)[axis] != in[k].shape()[axis]; }
  bool any_moved(size_t k) const { return !(traced_shape(k) == in[k].shape()); }
  // Whether a size may be one of the trace.
  bool suspicious(int64_t size) const { return changed.contains(size); }
  bool any_suspicious(const Shape& sizes) const {
    return std::any_of(sizes.begin(), sizes.end(), [&](int64_t n) { return suspicious(n); });
  }
};
using Rule = bool (*)(const Case&);

bool always(const Case&) { return true; }

// For states with sizes of any meaning.
bool unless_anything_moved(const Case& c) {
  for (size_t k = 0; k < c.in.size(); k++) {
    if (c.any_moved(k)) return false;
  }
  for (const auto& [name, v] : c.call.attributes) {
    if (const auto* sizes = std::get_if<Shape>(&v); sizes && c.any_suspicious(*sizes)) return false;
  }
  return true;
}

bool broadcast(const Case& c) {
  if (c.in.size() > 1) {  // to the shape that they have together
    const std::vector<int>& slots = c.call.inputs;
    if (!std::all_of(slots.begin() + 1, slots.end(), [&](int i) { return i == slots[1]; }))
      return true;
    if (slots.size() == 2) return true;
    // See BroadcastLike: the result has the shape of the array that is named again.
    const Shape &x = c.in[0].shape(), &like = c.in[1].shape();
    return slots.size() > 3 ? x == like : broadcast_shapes({x, like}) == like;
  }
  if (c.any_moved(0)) return false;
  const Shape &from = c.traced_shape(), to = c.shape("shape");
  const size_t skip = to.size() - std::min(from.size(), to.size());
  for (size_t i = 0; i < to.size(); i++) {
    const bool stretched = i < skip || from[i - skip] != to[i];
    if (stretched && c.suspicious(to[i])) return false;
  }
  return true;
}

bool broadcast_like(const Case& c) { return c.field<int64_t>("kept") > 0 || broadcast(c); }

// The sizes before and after the one that is inferred stand for axes that are as they were, or are
// no size of the trace.
bool reshape(const Case& c) {
  if (!c.any_moved(0)) return true;
  const Shape &from = c.traced_shape(), to = c.shape("shape");
  auto open = std::find(to.begin(), to.end(), -1);
  if (open == to.end()) return false;
  auto stands = [&](int64_t size, bool front) {
    int64_t covered = 1;
    for (size_t i = 0; i < from.size() && covered > 0 && covered < size; i++) {
      const size_t axis = front ? i : from.size() - 1 - i;
      if (c.moved(0, axis)) return false;
      covered = times(covered, from[axis]);
    }
    return covered == size;
  };
  auto product = [](auto first, auto last) {
    int64_t n = 1;
    for (; first != last; ++first) n = times(n, *first);
    return n;
  };
  if (stands(product(to.begin(), open), true) && stands(product(open + 1, to.end()), false)) {
    return true;
  }
  for (size_t i = 0; i < from.size(); i++) {  // sizes inside the function move, too
    int64_t joined = 1;
    bool moved = false;
    for (size_t k = i; k < from.size(); k++) {
      joined = times(joined, from[k]);
      moved |= c.moved(0, k);
      if (moved && joined > 1 && std::find(to.begin(), to.end(), joined) != to.end()) return false;
    }
  }
  return !c.any_suspicious(to);
}

bool unflatten(const Case& c) {
  const Shape to = c.shape("shape");
  const auto axis =
      static_cast<size_t>(normalize_axis("unflatten", c.axis("axis"), c.in[0].ndim()));
  if (!c.moved(0, axis)) return true;
  const bool open = std::find(to.begin(), to.end(), -1) != to.end();
  return open && !c.any_suspicious(to) &&
         std::find(to.begin(), to.end(), c.traced_shape()[axis]) == to.end();
}

// Parts that are counted from the end are there at any size that has them.
bool split(const Case& c) {
  const auto axis = static_cast<size_t>(normalize_axis("split", c.axis("axis"), c.in[0].ndim()));
  if (c.field<int64_t>("sections") != 0 || !c.moved(0, axis)) return true;
  const Shape indices = c.shape("indices");
  const int64_t least = -std::min(c.traced_shape()[axis], c.in[0].shape()[axis]);
  return std::all_of(indices.begin(), indices.end(),
                     [&](int64_t i) { return i < 0 && i >= least; });
}

// Bounds that are missing, counted from the end or the first element's.
bool slice(const Case& c) {
  constexpr int64_t far = std::numeric_limits<int32_t>::max();
  const Shape start = c.shape("start"), stop = c.shape("stop");
  for (size_t axis = 0; axis < std::min(start.size(), c.traced_shape().size()); axis++) {
    const int64_t a = start[axis], b = axis < stop.size() ? stop[axis] : 0;
    if (a == 0 && b == 1) continue;
    auto inside = [&](int64_t i) { return i > 0 && i < far; };
    if (c.moved(0, axis) && (inside(a) || inside(b))) return false;
    if ((inside(a) && a > 1 && c.suspicious(a)) || (inside(b) && b > 1 && c.suspicious(b))) {
      if (b != c.traced_shape()[axis]) return false;
    }
  }
  return true;
}

bool gather(const Case& c) {
  const auto axes = c.field<std::vector<int64_t>>("axes");
  const Shape sizes = c.shape("slice_sizes");
  for (size_t axis = 0; axis < std::min(sizes.size(), c.traced_shape().size()); axis++) {
    if (sizes[axis] == -1 || !c.moved(0, axis)) continue;
    const bool indexed =
        std::find(axes.begin(), axes.end(), static_cast<int64_t>(axis)) != axes.end();
    if (!indexed || sizes[axis] != 1) return false;
  }
  return true;
}

bool arange(const Case& c) {
  auto whole = [&](double v) {
    return std::abs(v) >= 2 && std::abs(v) < 0x1p53 && v == std::floor(v) &&
           c.suspicious(static_cast<int64_t>(std::abs(v)));
  };
  const bool stated =
      std::any_of(c.call.attributes.begin(), c.call.attributes.end(), [&](const auto& field) {
        const double* v = std::get_if<double>(&field.second);
        return v && whole(*v);
      });
  return !stated && !c.any_suspicious(c.recorded[0].shape);
}

bool random_bits(const Case& c) {
  const Shape shape = c.shape("shape");
  return !c.any_moved(0) && !c.any_suspicious(shape) && !c.suspicious(element_count(shape));
}

// Of transposed convolutions, and of gradients, the padding comes from the size of the kernel.
bool convolution(const Case& c) {
  if (!c.field<bool>("flip")) return true;
  for (size_t axis = 1; axis + 1 < c.traced_shape(1).size(); axis++) {
    if (c.moved(1, axis)) return false;
  }
  return true;
}

bool partition(const Case& c) {
  const int64_t kth = c.field<int64_t>("kth");
  const auto axis =
      static_cast<size_t>(normalize_axis("partition", c.axis("axis"), c.in[0].ndim()));
  return !c.moved(0, axis) || kth < 0 || !c.suspicious(kth);
}

// Factors come with transforms that depend on their length.
bool fft(const Case& c) {
  for (int64_t axis : c.field<std::vector<int64_t>>("axes")) {
    if (c.moved(0, static_cast<size_t>(
                       normalize_axis("fft", static_cast<int>(axis), c.in[0].ndim())))) {
      return false;
    }
  }
  return true;
}

bool hadamard(const Case& c) {
  const size_t rank = c.traced_shape().size();
  return c.field<bool>("orthonormal") || rank == 0 || !c.moved(0, rank - 1);
}

// Those that are not here hold if no field of theirs is a shape.
const std::unordered_map<std::string, Rule>& rules() {
  static const std::unordered_map<std::string, Rule> table{
      {"Broadcast", broadcast},
      {"BroadcastLike", broadcast_like},
      {"Reshape", reshape},
      {"Unflatten", unflatten},
      {"Split", split},
      {"Slice", slice},
      {"SliceUpdate", slice},
      {"Gather", gather},
      {"Arange", arange},
      {"RandomBits", random_bits},
      {"Convolution", convolution},
      {"FFT", fft},
      {"Partition", partition},
      {"ArgPartition", partition},
      {"Hadamard", hadamard},
      {"Pad", always},
      {"BorderPad", always},
  };
  return table;
}

Rule rule_of(const Call& c, bool follows_shapes) {
  auto known = rules().find(c.name);
  if (known != rules().end()) return known->second;
  return follows_shapes ? always : unless_anything_moved;
}

}  // namespace

OtherSizes::OtherSizes(const Calls& f, const Arrays& inputs) : f_(f), inputs_(inputs) {
  for (size_t i = 0; i < inputs.size(); i++) {
    const Shape &was = f.slots[i].shape, &is = inputs[i].shape();
    for (size_t first = 0; first < was.size(); first++) {
      int64_t product = 1;
      bool moved = false;
      for (size_t last = first; last < was.size(); last++) {
        product = times(product, was[last]);
        moved |= was[last] != is[last] && was[last] != 1;
        if (moved) traced_.insert(product);
      }
      if (was[first] == 1 && is[first] != 1) traced_.insert(1);
    }
  }
}

void OtherSizes::check(const Call& c, bool follows_shapes, const Arrays& in,
                       const Avals& recorded) const {
  if (traced_.empty()) return;
  std::vector<const Aval*> traced;
  for (size_t k = 0; k < in.size(); k++) {
    const Aval& a = f_.slots[static_cast<size_t>(c.inputs[k])];
    if (a.shape.size() != in[k].shape().size()) return;  // refused by the operation
    traced.push_back(&a);
  }
  if (rule_of(c, follows_shapes)({c, traced, in, recorded, traced_})) return;
  throw SizeRefusal(
      explain(c,
              "it may hold a size or position of the traced inputs, and cannot infer its output "
              "shapes"));
}

std::string OtherSizes::explain(const Call& c, const std::string& problem) const {
  if (traced_.empty()) return problem;
  std::string was, is;
  for (size_t i = 0; i < inputs_.size(); i++) {
    if (i) was += ", ", is += ", ";
    was += to_string(f_.slots[i].shape);
    is += to_string(inputs_[i].shape());
  }
  return fmt::format(
      "[ImportedFunction] {} at other sizes than those of the export: {}. The export had inputs of "
      "shapes {}, the call has {}. Export the function at these sizes too, with an exporter that "
      "is not shapeless, or write it without sizes of its inputs (-1 in reshape and unflatten, "
      "slices counted from the end, ones_like and zeros_like).",
      c.name, problem, was, is);
}

}  // namespace heddle::convert
