#include "convert/trace.h"

#include "convert/recorder.h"
#include "core/node.h"
#include "ops/following.h"

namespace heddle::convert {
namespace {

// Dimensions by name, from names by axis.
std::vector<Dimension> dimensions_of(const Program::Dimensions& names, const Arrays& inputs) {
  auto refuse = [](const std::string& problem) {
    throw std::invalid_argument("[Program] " + problem);
  };
  if (names.size() > inputs.size()) {
    refuse(fmt::format("There are names of sizes for {} inputs; the function has {}.", names.size(),
                       inputs.size()));
  }
  std::vector<Dimension> out;
  for (size_t i = 0; i < names.size(); i++) {
    const Shape& shape = inputs[i].shape();
    if (names[i].size() > shape.size()) {
      refuse(fmt::format("There are {} names of sizes for input {}, which has {} axes.",
                         names[i].size(), i, shape.size()));
    }
    for (size_t axis = 0; axis < names[i].size(); axis++) {
      if (names[i][axis].empty()) continue;
      auto at = std::find_if(out.begin(), out.end(),
                             [&](const Dimension& d) { return d.name == names[i][axis]; });
      if (at == out.end()) at = out.insert(at, Dimension{names[i][axis], {}});
      at->axes.emplace_back(i, axis);
      const auto [input, first] = at->axes[0];
      const int64_t size = inputs[static_cast<size_t>(input)].shape(first);
      if (shape[axis] != size) {
        refuse(
            fmt::format("The size {} is {} in axis {} of input {}, and {} in axis {} of input "
                        "{}.",
                        at->name, size, first, input, shape[axis], axis, i));
      }
      if (size == 0)
        refuse(fmt::format("The size {} is 0 in the example: nothing follows it.", at->name));
    }
  }
  return out;
}

// The axes that have no name.
std::vector<std::pair<int, int>> unnamed(const std::vector<Dimension>& dimensions,
                                         const Arrays& inputs) {
  std::vector<std::pair<int, int>> out;
  for (int i = 0; i < static_cast<int>(inputs.size()); i++) {
    for (int axis = 0; axis < inputs[static_cast<size_t>(i)].ndim(); axis++) {
      const std::pair place(i, axis);
      const bool named = std::any_of(dimensions.begin(), dimensions.end(), [&](const Dimension& d) {
        return std::find(d.axes.begin(), d.axes.end(), place) != d.axes.end();
      });
      if (!named) out.push_back(place);
    }
  }
  return out;
}

// Beyond so many, all axes without a name count as needed: each would take a trace.
constexpr size_t most_looked_at = 256;

FollowedSizes follow_named(const Traced& traced, const TraceAt& trace_at,
                           const std::vector<Dimension>& dimensions) {
  FollowedSizes sizes = follow_sizes(traced, trace_at, dimensions);
  sizes.fixed = unnamed(dimensions, traced.inputs);
  sizes.needed = sizes.fixed;
  if (sizes.fixed.size() <= most_looked_at) {
    std::erase_if(sizes.needed,
                  [&](auto axis) { return what_depends_on(traced, trace_at, axis).empty(); });
  }
  return sizes;
}

// For a format that serves any size: sizes that have to stay have no room in it.
void refuse_needed(const Calls& f, const Dialect& to) {
  Report report{to.name(), static_cast<int>(f.calls.size()), 0, {}};
  for (auto [input, axis] : f.needed) {
    report.issues.push_back(
        {"R-CAP-SHAPE",
         Issue::Severity::error,
         f.name_of(input),
         fmt::format(
             "axis {} has to stay {}, for numbers depend on it, and {} has no room to say so", axis,
             f.slots[static_cast<size_t>(input)].shape[static_cast<size_t>(axis)], to.name()),
         "write the function for this size alone",
         {}});
  }
  if (report.issues.empty()) return;
  throw ConversionError("[Program] Sizes have to stay.\n" + to_string(report), report);
}

}  // namespace

Arguments::Arguments(const Arrays& args, const NamedArguments& named) : arrays(args) {
  for (const auto& [name, array] : named) {
    keywords.push_back(name);
    arrays.push_back(array);
  }
}

bool fits(const Calls& f, const Arguments& a, bool shapeless) {
  if (static_cast<size_t>(f.input_count) != a.arrays.size() || f.keywords != a.keywords)
    return false;
  for (size_t i = 0; i < a.arrays.size(); i++) {
    const Aval& wanted = f.slots[i];
    const Array& given = a.arrays[i];
    if (given.dtype() != wanted.dtype) return false;
    if (shapeless ? given.shape().size() != wanted.shape.size()
                  : !(given.shape() == wanted.shape)) {
      return false;
    }
  }
  return true;
}

std::string listing(const Avals& inputs, const std::vector<std::string>& keywords,
                    const char* indent) {
  const size_t positional = inputs.size() - keywords.size();
  std::string out =
      fmt::format("{} positional inputs and {} keyword inputs:\n", positional, keywords.size());
  for (size_t i = 0; i < inputs.size(); i++) {
    std::string name =
        i < positional ? std::to_string(i + 1) : fmt::format("\"{}\"", keywords[i - positional]);
    out += fmt::format("{}{}: {} {}\n", indent, name, to_string(inputs[i].shape),
                       heddle::name_of(inputs[i].dtype));
  }
  return out;
}

Calls trace(const ExportedFunction& fun, const Arrays& args, const NamedArguments& named,
            const Dialect& dialect, const Tracing& how) {
  TracingScope tracing;
  std::optional<FollowingScope> following;
  if (how.shapeless) following.emplace();
  Arguments given(args, named);
  std::optional<std::vector<Dimension>> dimensions;
  if (how.dimensions) dimensions = dimensions_of(*how.dimensions, given.arrays);
  const TraceAt trace_at = [&](const std::vector<Shape>& shapes) {
    Traced t;
    for (size_t i = 0; i < shapes.size(); i++) {
      t.inputs.push_back(placeholder(shapes[i], given.arrays[i].dtype()));
    }
    size_t next = args.size();
    NamedArguments stand_ins;
    for (const auto& [name, array] : named) stand_ins[name] = t.inputs[next++];
    t.outputs =
        fun(Arrays(t.inputs.begin(), t.inputs.begin() + static_cast<long>(args.size())), stand_ins);
    return t;
  };
  std::vector<Shape> shapes;
  for (const Array& a : given.arrays) shapes.push_back(a.shape());
  const Traced traced = trace_at(shapes);
  std::string structure = how.structure ? how.structure() : "";  // of this run
  FollowedSizes sizes{traced.outputs};
  if (dimensions && !dimensions->empty()) {
    sizes = follow_named(traced, trace_at, *dimensions);
  } else if (!dimensions && following && following->size_was_read()) {
    sizes = follow_sizes(traced, trace_at);
  }
  Calls f = Recorder(dialect, how.shapeless, how.report)
                .record(traced.inputs, given.keywords, sizes.outputs, sizes);
  f.structure = std::move(structure);
  f.input_structure = how.input_structure;
  f.names = how.input_names;
  // Another thread may write the file.
  for (const auto& [slot, constant] : f.constants) constant.eval();
  for (const auto& [slot, constant] : f.constants) {
    for (const Array& a : given.arrays) {
      if (a.same_as(constant)) {
        throw std::invalid_argument(
            "[export_function] The function reads an example by another way than its arguments: "
            "uncaptured inputs are not allowed. Pass the array, or give a copy as the example.");
      }
    }
  }
  return f;
}

Calls translate(const Calls& f, const Dialect& from, const Dialect& to, bool shapeless,
                Report* report) {
  if (shapeless && !to.holds_following_numbers()) refuse_needed(f, to);
  TracingScope tracing;
  std::optional<FollowingScope> following;
  if (shapeless) following.emplace();
  Building how;
  const TraceAt trace_at = [&](const std::vector<Shape>& shapes) {
    Traced t;
    for (size_t i = 0; i < shapes.size(); i++) {
      t.inputs.push_back(placeholder(shapes[i], f.slots[i].dtype));
    }
    t.outputs = build(f, from, t.inputs, how);
    return t;
  };
  std::vector<Shape> shapes;
  for (int i = 0; i < f.input_count; i++) shapes.push_back(f.slots[static_cast<size_t>(i)].shape);
  Recorder::Origins origins;
  how.built = [&](const Call& c, const Arrays& results) {
    if (c.origin == Origin{}) return;
    for (const Array& a : results) origins.try_emplace(a.node(), a, c.origin);
  };
  const Traced traced = trace_at(shapes);
  how.built = {};
  std::vector<Dimension> free;  // those that need not stay
  for (const Dimension& d : f.dimensions) {
    const bool stays = std::any_of(d.axes.begin(), d.axes.end(), [&](auto axis) {
      return std::find(f.fixed.begin(), f.fixed.end(), axis) != f.fixed.end();
    });
    if (!stays) free.push_back(d);
  }
  FollowedSizes sizes{traced.outputs};
  if (!free.empty()) sizes = follow_sizes(traced, trace_at, free);
  sizes.fixed = free.empty() ? f.fixed : unnamed(free, traced.inputs);
  sizes.needed = f.needed;
  Recorder recorder(to, shapeless, report);
  recorder.set_origins(std::move(origins));
  Calls out = recorder.record(traced.inputs, f.keywords, sizes.outputs, sizes);
  out.structure = f.structure;
  out.input_structure = f.input_structure;
  for (int i = 0; i < f.input_count && !f.names.empty(); i++) out.names.push_back(f.name_of(i));
  return out;
}

}  // namespace heddle::convert
