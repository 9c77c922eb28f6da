// The private submodule heddle.core._program: programs with arguments and results as trees, which
// heddle.program shows. Reports come as JSON.
#include "convert/program.h"

#include <fmt/format.h>

#include "bind.h"
#include "file_object.h"
#include "foreign_memory.h"
#include "interrupt.h"
#include "structure.h"
#include "tree.h"

namespace heddle::python {
namespace {

constexpr const char* op = "Program";

// Arguments as they are, with heddle's arrays in place of others'.
nb::object with_arrays(nb::handle tree) {
  return map_tree(tree, [](nb::handle leaf) -> nb::object {
    const bool foreign = !is_array(leaf) && is_foreign(leaf);
    return foreign ? wrap(to_array(leaf)) : nb::borrow(leaf);
  });
}

// A Python function of trees as the engine calls it, without the GIL.
class TreeFunction {
 public:
  TreeFunction(nb::object fun, const std::string& arguments)
      : fun_(std::move(fun)), arguments_(parsed_structure(arguments)) {}

  ExportedFunction function() {
    return [this](const Arrays& args, const NamedArguments&) {
      AcquireGil gil;
      const nb::tuple given = nb::cast<nb::tuple>(rebuild(arguments_, args));
      const nb::object result = passing_interrupts([&] {
        return call_python(fun_, nb::cast<nb::tuple>(given[0]), nb::cast<nb::dict>(given[1]));
      });
      structure_ = structure_of(op, result);
      return arrays_of_tree(result);
    };
  }
  const std::string& structure() const { return structure_; }

 private:
  nb::object fun_, arguments_;
  std::string structure_;
};

class PyProgram {
 public:
  explicit PyProgram(Program program) : program_(std::move(program)) {
    if (!program_.structure().empty()) {
      results_ = parsed_structure(program_.structure());
      result_structure_ = normal_structure(program_.structure());
    }
    if (!program_.input_structure().empty()) {
      input_structure_ = normal_structure(program_.input_structure());
    }
  }

  const Program& get() const { return program_; }

  nb::object call(nb::tuple args, nb::dict kwargs) const {
    auto [arrays, named] = arguments(args, kwargs);
    const Arrays results = [&, &a = arrays, &n = named] {
      ReleaseGil release;
      return program_(a, n);
    }();
    return with_structure(results);
  }

  nb::dict verify(nb::object reference, nb::tuple args, nb::dict kwargs, double relative,
                  nb::dict values) const {
    auto [arrays, named] = arguments(args, kwargs);
    nb::object trees = with_arrays(nb::make_tuple(args, kwargs));
    Arrays expected;
    Reference wanted;
    wanted.function = [&](const Arrays&, const NamedArguments&) {
      AcquireGil gil;
      const nb::tuple given = nb::cast<nb::tuple>(trees);
      nb::object result =
          call_python(reference, nb::cast<nb::tuple>(given[0]), nb::cast<nb::dict>(given[1]));
      result = with_arrays(result);
      const std::string structure = structure_of(op, result);
      if (results_ && structure != result_structure_) {
        throw std::invalid_argument(
            fmt::format("[Program] The reference gives the structure {}, the program {}.",
                        structure, result_structure_));
      }
      return arrays_of_tree(result);
    };
    if (nb::len(values) > 0) {
      wanted.value_of = [&](const Origin& origin, const std::string& output) {
        AcquireGil gil;
        for (const std::string& name : {origin.name, output}) {
          const nb::str key(name.c_str());
          if (values.contains(key)) return to_array(values[key]);
        }
        return Array();
      };
    }
    const Verification v = [&, &a = arrays, &n = named] {
      ReleaseGil release;
      return program_.verify(wanted, a, n, {relative});
    }();
    nb::dict out;
    out["ok"] = v.ok;
    out["max_abs"] = v.max_abs;
    out["max_rel"] = v.max_rel;
    out["problem"] = v.problem;
    out["first_diverging_op"] = v.first_diverging_op;
    out["location"] = v.origin.location;
    out["module_path"] = v.origin.module_path;
    return out;
  }

 private:
  std::pair<Arrays, NamedArguments> arguments(const nb::tuple& args, const nb::dict& kwargs) const {
    const nb::object given = with_arrays(nb::make_tuple(args, kwargs));
    if (!input_structure_.empty()) {
      const std::string structure = structure_of(op, given);
      if (structure != input_structure_) {
        throw std::invalid_argument(
            fmt::format("[Program] The arguments have the structure {}; the program was made for "
                        "{}. (A number stands for an array; positional arguments, then those by "
                        "name.)",
                        structure, input_structure_));
      }
      return {arrays_of_tree(given), {}};
    }
    const nb::tuple pair = nb::cast<nb::tuple>(given);
    NamedArguments named;
    for (auto [name, value] : nb::cast<nb::dict>(pair[1])) {
      named[nb::cast<std::string>(name)] = array(value);
    }
    Arrays arrays;
    for (nb::handle value : nb::cast<nb::tuple>(pair[0])) arrays.push_back(array(value));
    return {std::move(arrays), std::move(named)};
  }
  static Array array(nb::handle value) {
    if (is_array(value)) return array_of(value);
    throw std::invalid_argument(fmt::format("[Program] Its arguments are arrays; given was a {}.",
                                            nb::type_name(value.type()).c_str()));
  }
  nb::object with_structure(const Arrays& results) const {
    if (results_) return rebuild(results_, results);
    nb::list out;
    for (const Array& a : results) out.append(wrap(a));
    return nb::tuple(out);
  }

  Program program_;
  nb::object results_;                              // structure; none: a tuple
  std::string input_structure_, result_structure_;  // as text; empty: none
};

nb::list values_of(const std::vector<Program::Value>& values) {
  nb::list out;
  for (const Program::Value& v : values) {
    nb::list sizes;
    for (size_t axis = 0; axis < v.shape.size(); axis++) {
      if (v.dimensions[axis].empty()) {
        sizes.append(v.shape[axis]);
      } else {
        sizes.append(v.dimensions[axis]);
      }
    }
    out.append(nb::make_tuple(v.name, nb::tuple(sizes), v.dtype));
  }
  return out;
}

nb::list steps_of(const Program& program) {
  nb::list out;
  for (const Program::Step& step : program.steps()) {
    nb::dict attributes;
    for (const auto& [name, value] : step.attributes)
      attributes[name.c_str()] = from_attribute(value);
    out.append(nb::make_tuple(step.op, attributes, step.inputs, step.outputs, step.origin.name,
                              step.origin.module_path, step.origin.location));
  }
  return out;
}

PyProgram trace(nb::object fun, nb::tuple args, nb::dict kwargs,
                const Program::Dimensions& dimensions, std::vector<std::string> names) {
  const nb::object given = with_arrays(nb::make_tuple(args, kwargs));
  const std::string structure = structure_of(op, given);
  const Arrays examples = arrays_of_tree(given);
  TreeFunction traced(std::move(fun), structure);
  convert::Tracing how;
  how.structure = [&] { return traced.structure(); };
  how.input_structure = structure;
  how.input_names = std::move(names);
  return PyProgram(tracing([&] {
    return convert::traced_program(traced.function(), examples, {}, dimensions, std::move(how));
  }));
}

PyProgram load(nb::handle path) {
  const std::string file = path_of(path);
  return PyProgram([&] {
    ReleaseGil release;
    return Program::load(file);
  }());
}

}  // namespace

void bind_program(nb::module_& parent) {
  nb::module_ m = add_submodule(parent, "_program", "What heddle.program stands on.");
  nb::class_<PyProgram>(m, "Program")
      .def("call", &PyProgram::call)
      .def("verify", &PyProgram::verify)
      .def("inputs", [](const PyProgram& p) { return values_of(p.get().inputs()); })
      .def("outputs", [](const PyProgram& p) { return values_of(p.get().outputs()); })
      .def("steps", [](const PyProgram& p) { return steps_of(p.get()); })
      .def("constants",
           [](const PyProgram& p) {
             nb::dict out;
             for (const auto& [name, array] : p.get().constants()) out[name.c_str()] = wrap(array);
             return out;
           })
      .def("report", [](const PyProgram& p) { return p.get().report().to_json(); })
      .def("check",
           [](const PyProgram& p, const std::string& format) {
             ReleaseGil release;
             return p.get().check(format).to_json();
           })
      .def("save", [](const PyProgram& p, nb::handle path) {
        const std::string file = path_of(path);
        ReleaseGil release;
        p.get().save(file);
      });
  m.def("trace", &trace);
  m.def("load", &load);
}

}  // namespace heddle::python
