// Programs: calls of a dialect that are built for each signature of inputs.
#include "convert/program.h"

#include <algorithm>

#include "convert/format.h"
#include "convert/native/dialect.h"
#include "convert/trace.h"
#include "io/reader.h"
#include "ops/following.h"

namespace heddle {

using convert::Calls;
using convert::Dialect;
using convert::Format;

namespace {

template <class Fits>
const Format& format_for(const std::string& given, Fits fits) {
  std::string known;
  for (const Format& f : convert::formats()) {
    if (!f.write) continue;
    if (fits(f)) return f;
    known += fmt::format("{}{} ({})", known.empty() ? "" : ", ", f.name, f.suffix);
  }
  throw std::invalid_argument(
      fmt::format("[Program] {} names no format that programs are written in; there are {}.",
                  io::shown_path(given), known));
}

// The calls of a program in a format. What it cannot hold stands in the report.
Calls calls_for(const Program::State& p, const Format& format, Report& report) {
  const Dialect& to = format.dialect();
  report.dialect = format.name;
  if (p.dialect == &to) {
    report.steps = report.supported = static_cast<int>(p.calls.calls.size());
    return p.calls;
  }
  try {
    return convert::translate(p.calls, *p.dialect, to, p.shapeless, &report);
  } catch (const ConversionError& e) {
    report.issues.insert(report.issues.end(), e.report.issues.begin(), e.report.issues.end());
    return {};
  }
}

Program::Value value_of(const Calls& f, int slot, std::string name) {
  const Aval& a = f.slots[static_cast<size_t>(slot)];
  return {std::move(name), a.shape, std::vector<std::string>(a.shape.size()), a.dtype};
}

// What is wrong with the arguments, for a message; empty: nothing.
std::string problem_with(const Program::State& p, const convert::Arguments& given) {
  const Calls& f = p.calls;
  if (!convert::fits(f, given, p.shapeless)) {
    const Avals wanted(f.slots.begin(), f.slots.begin() + f.input_count);
    Avals called;
    for (const Array& a : given.arrays) called.push_back({a.shape(), a.dtype()});
    return fmt::format("The arguments do not fit. Wanted are {}Given are {}",
                       convert::listing(wanted, f.keywords, "  "),
                       convert::listing(called, given.keywords, "  "));
  }
  for (auto [input, axis] : f.fixed) {
    const int64_t was = f.slots[static_cast<size_t>(input)].shape[static_cast<size_t>(axis)];
    const int64_t is = given.arrays[static_cast<size_t>(input)].shape(axis);
    if (is == was) continue;
    return fmt::format("Axis {} of input {} has size {}; the program was made for {} there.", axis,
                       f.name_of(input), is, was);
  }
  return "";
}

}  // namespace

std::string Calls::name_of(int slot) const {
  const auto i = static_cast<size_t>(slot);
  if (i < names.size() && !names[i].empty()) return names[i];
  if (slot >= input_count) return fmt::format("value_{}", slot);
  const size_t positional = positional_count();
  return i < positional ? fmt::format("input_{}", i) : keywords[i - positional];
}

Arrays Program::State::run(const Arrays& inputs) const {
  const convert::Building how;
  // What is part of a trace for other sizes is built into it: what is kept has sizes of its own.
  if (std::any_of(inputs.begin(), inputs.end(), may_change_size)) {
    return convert::build(calls, *dialect, inputs, how);
  }
  return built(
             [&](const Arrays& x) {
               return Compiled::Result{convert::build(calls, *dialect, x, how), {}};
             },
             inputs)
      .outputs;
}

Program convert::traced_program(const ExportedFunction& fun, const Arrays& args,
                                const NamedArguments& named, const Program::Dimensions& dimensions,
                                Tracing how) {
  const Dialect& dialect = native::dialect();
  Report report{"heddle", 0, 0, {}};
  const bool any_size = std::any_of(dimensions.begin(), dimensions.end(), [](const auto& names) {
    return std::any_of(names.begin(), names.end(), [](const auto& n) { return !n.empty(); });
  });
  how.shapeless = any_size;
  how.dimensions = &dimensions;
  how.report = &report;
  Calls calls = trace(fun, args, named, dialect, how);
  if (!report.runnable()) {
    throw ConversionError(
        "[Program] The function cannot be kept as a program.\n" + to_string(report), report);
  }
  return Program(
      std::make_shared<Program::State>(std::move(calls), dialect, any_size, std::move(report)));
}

Program convert::program_of(Calls calls, const Dialect& dialect, bool shapeless) {
  Report report = read_dry(calls, dialect);
  if (!report.runnable()) {
    throw ConversionError("[Program] Not all of it can be read.\n" + to_string(report), report);
  }
  return Program(
      std::make_shared<Program::State>(std::move(calls), dialect, shapeless, std::move(report)));
}

Program Program::trace(const ExportedFunction& fun, const Arrays& args, const NamedArguments& named,
                       const Dimensions& dimensions) {
  return convert::traced_program(fun, args, named, dimensions);
}

Program Program::load(const std::string& path) {
  convert::Imported read = convert::import_file(path);
  if (read.programs.size() != 1) {
    throw std::invalid_argument(fmt::format(
        "[Program] {} holds {} functions where one is wanted; import_function reads it.",
        io::shown_path(path), read.programs.size()));
  }
  return read.programs[0];
}

Arrays Program::operator()(const Arrays& args, const NamedArguments& named) const {
  const convert::Arguments given(args, named);
  if (std::string problem = problem_with(*state_, given); !problem.empty()) {
    throw std::invalid_argument("[Program] " + problem);
  }
  return state_->run(given.arrays);
}

std::vector<Program::Value> Program::inputs() const {
  const Calls& f = state_->calls;
  std::vector<Value> out;
  for (int i = 0; i < f.input_count; i++) {
    out.push_back(value_of(f, i, f.name_of(i)));
    std::vector<std::string>& names = out.back().dimensions;
    for (size_t axis = 0; state_->shapeless && axis < names.size(); axis++) {
      names[axis] = fmt::format("{}.{}", f.name_of(i), axis);
    }
  }
  auto name = [&](std::pair<int, int> axis, const std::string& text) {
    out[static_cast<size_t>(axis.first)].dimensions[static_cast<size_t>(axis.second)] = text;
  };
  for (const convert::Dimension& d : f.dimensions) {
    for (auto axis : d.axes) {
      if (!d.name.empty()) name(axis, d.name);
    }
  }
  for (auto axis : f.fixed) name(axis, "");
  return out;
}

std::vector<Program::Value> Program::outputs() const {
  const Calls& f = state_->calls;
  std::vector<Value> out;
  for (size_t k = 0; k < f.outputs.size(); k++) {
    const int slot = f.outputs[k];
    const auto i = static_cast<size_t>(slot);
    const bool has_name = i < f.names.size() && !f.names[i].empty();
    out.push_back(value_of(f, slot, has_name ? f.names[i] : fmt::format("output_{}", k)));
  }
  return out;
}

size_t Program::positional_count() const { return state_->calls.positional_count(); }
const std::string& Program::structure() const { return state_->calls.structure; }
const std::string& Program::input_structure() const { return state_->calls.input_structure; }
const Report& Program::report() const { return state_->report; }

std::vector<Program::Step> Program::steps() const {
  const Calls& f = state_->calls;
  std::vector<Step> out;
  for (const convert::Call& c : f.calls) {
    Step step{c.name, c.attributes, {}, {}, c.origin};
    for (int i : c.inputs) step.inputs.push_back(f.name_of(i));
    for (int k = 0; k < c.output_count; k++) step.outputs.push_back(f.name_of(c.first_output + k));
    out.push_back(std::move(step));
  }
  return out;
}

std::vector<std::pair<std::string, Array>> Program::constants() const {
  std::vector<std::pair<std::string, Array>> out;
  for (const auto& [slot, array] : state_->calls.constants) {
    out.emplace_back(state_->calls.name_of(slot), array);
  }
  return out;
}

Report Program::check(const std::string& format) const {
  Report report;
  calls_for(*state_, format_for(format, [&](const Format& f) { return format == f.name; }), report);
  return report;
}

void Program::save(const std::string& path) const {
  const Format& format =
      format_for(path, [&](const Format& f) { return path.ends_with(f.suffix); });
  Report report;
  convert::FunctionFile file;
  file.shapeless = state_->shapeless;
  file.functions.push_back(calls_for(*state_, format, report));
  if (!report.runnable()) {
    throw ConversionError(fmt::format("[Program] {} files cannot hold this program.\n{}",
                                      format.suffix, to_string(report)),
                          report);
  }
  io::write_atomically("Program", path,
                       [&](const WriteFunction& sink) { format.write(file, sink); });
}

}  // namespace heddle
