// Primitives of a program's own, written in Python: heddle.extension has the class to derive from.
#include "heddle/primitive.h"

#include <fmt/format.h>

#include <memory>

#include "bind.h"
#include "heddle/ops.h"

namespace heddle::python {
namespace {

nb::list list_of(const Arrays& arrays) {
  nb::list list;
  for (const Array& a : arrays) list.append(a ? wrap(a) : nb::none());
  return list;
}

// None stands for no array: a zero.
Arrays arrays_of(nb::handle list) {
  Arrays arrays;
  for (nb::handle item : nb::borrow<nb::object>(list)) {
    arrays.push_back(item.is_none() ? Array() : to_array(item));
  }
  return arrays;
}

// One of these stands in graphs for each call of a primitive. Evaluation calls it without the
// interpreter lock, graphs drop it on any thread.
class PythonPrimitive final : public Primitive {
 public:
  PythonPrimitive(Stream stream, nb::object self)
      : Primitive(stream),
        self_(std::move(self)),
        name_(nb::cast<std::string>(self_.attr("name"))) {}
  ~PythonPrimitive() override {
    PyObject* self = self_.release().ptr();
    release_to_python([&] { Py_DECREF(self); });
  }

  const char* name() const override { return name_.c_str(); }

  void eval_cpu(const Arrays& inputs, Arrays& outputs) override {
    if (!holds_gil && interpreter_ends()) {
      throw std::runtime_error(
          fmt::format("[{}] Python has ended: nothing can compute this any more.", name_));
    }
    AcquireGil gil;
    nb::list results;
    for (const Array& out : outputs) {
      results.append(wrap(Array(allocator::malloc(out.nbytes()), out.shape(), out.dtype())));
    }
    call_python(self_.attr("eval_cpu"), nb::make_tuple(list_of(inputs), results));
    if (nb::len(results) != outputs.size()) {
      throw std::invalid_argument(fmt::format("[{}] eval_cpu left {} outputs where {} are wanted.",
                                              name_, nb::len(results), outputs.size()));
    }
    for (size_t k = 0; k < outputs.size(); k++) give(to_array(results[k]), outputs[k], k);
  }

  Arrays vjp(const Arrays& primals, const Arrays& cotangents, const std::vector<int>& argnums,
             const Arrays& outputs) override {
    AcquireGil gil;
    nb::object rule = find("vjp");
    if (rule.is_none()) return Primitive::vjp(primals, cotangents, argnums, outputs);
    return arrays_of(call_python(
        rule, nb::make_tuple(list_of(primals), list_of(cotangents), argnums, list_of(outputs))));
  }

  Arrays jvp(const Arrays& primals, const Arrays& tangents,
             const std::vector<int>& argnums) override {
    AcquireGil gil;
    nb::object rule = find("jvp");
    if (rule.is_none()) return Primitive::jvp(primals, tangents, argnums);
    return arrays_of(
        call_python(rule, nb::make_tuple(list_of(primals), list_of(tangents), argnums)));
  }

  std::pair<Arrays, std::vector<int>> vmap(const Arrays& inputs,
                                           const std::vector<int>& axes) override {
    AcquireGil gil;
    nb::object rule = find("vmap");
    if (rule.is_none()) return Primitive::vmap(inputs, axes);
    nb::list mapped;
    for (int axis : axes) mapped.append(axis < 0 ? nb::none() : nb::cast(axis));
    auto [outputs, found] = nb::cast<std::pair<nb::object, nb::object>>(
        call_python(rule, nb::make_tuple(list_of(inputs), mapped)));
    std::vector<int> out_axes;
    for (nb::handle axis : found) out_axes.push_back(axis.is_none() ? -1 : nb::cast<int>(axis));
    return {arrays_of(outputs), std::move(out_axes)};
  }

  bool is_equivalent(const Primitive& other) const override {
    AcquireGil gil;
    const auto& o = static_cast<const PythonPrimitive&>(other);
    if (self_.is(o.self_)) return true;
    return self_.type().is(o.self_.type()) && nb::cast<bool>(self_.attr("is_equivalent")(o.self_));
  }

  std::vector<Shape> output_shapes(const Arrays& inputs) override {
    AcquireGil gil;
    nb::object rule = find("output_shapes");
    if (rule.is_none()) return Primitive::output_shapes(inputs);
    std::vector<Shape> shapes;
    for (nb::handle shape : call_python(rule, nb::make_tuple(list_of(inputs))))
      shapes.push_back(to_shape(shape));
    return shapes;
  }

 private:
  nb::object find(const char* rule) const { return self_.attr(rule); }

  // What eval_cpu left in place of output k becomes its value.
  void give(Array result, Array& output, size_t k) const {
    if (!(result.shape() == output.shape()) || result.dtype() != output.dtype()) {
      throw std::invalid_argument(fmt::format(
          "[{}] eval_cpu gave output {} shape {} and dtype {} where {} and {} are wanted.", name_,
          k, to_string(result.shape()), name_of(result.dtype()), to_string(output.shape()),
          name_of(output.dtype())));
    }
    evaluate(result);
    output.copy_shared_buffer(result);
  }

  nb::object self_;
  std::string name_;
};

}  // namespace

void bind_primitive(nb::module_& m) {
  m.def(
      "_make_arrays",
      [](nb::object primitive, nb::list shapes, const std::vector<Dtype>& dtypes,
         const nb::object& inputs, StreamOrDevice s) {
        std::vector<Shape> sizes;
        for (nb::handle shape : shapes) sizes.push_back(to_shape(shape));
        Arrays in;
        for (nb::handle input : inputs) in.push_back(to_array(input));
        auto made = std::make_shared<PythonPrimitive>(to_stream(s), std::move(primitive));
        return list_of(Array::make_arrays(std::move(sizes), dtypes, made, in));
      },
      "primitive"_a, "shapes"_a, "dtypes"_a, "inputs"_a, "stream"_a = nb::none(),
      "The lazy results of a primitive; heddle.extension.Primitive calls it.");
}

}  // namespace heddle::python
