// repr of arrays and the print options.
#include "bind.h"

namespace heddle::python {
namespace {

// The class of `with mx.printoptions(...)`.
struct PrintOptionsContext {
  PrintOptions wanted;
  std::vector<PrintOptions> former;
};

}  // namespace

void bind_printing(nb::module_& m) {
  array_class().def("__repr__", [](const Array& a) {
    evaluate(a);
    return to_string(a, "True", "False");
  });
  nb::class_<PrintOptions>(m, "PrintOptions", "How arrays are printed.")
      .def(
          "__init__", [](PrintOptions* o, int precision) { new (o) PrintOptions{precision}; },
          "precision"_a = -1)
      .def_rw("precision", &PrintOptions::precision,
              "Digits after the point; -1 for six significant digits.");
  nb::class_<PrintOptionsContext>(m, "_PrintOptionsContext", "See :func:`printoptions`.")
      .def(
          "__enter__",
          [](nb::handle self) {
            auto& c = nb::cast<PrintOptionsContext&>(self);
            c.former.push_back(get_printoptions());
            set_printoptions(c.wanted);
            return nb::borrow(self);
          },
          nb::sig("def __enter__(self) -> _PrintOptionsContext"))
      .def("__exit__", [](PrintOptionsContext& c, nb::args) {
        if (c.former.empty()) return;
        set_printoptions(c.former.back());
        c.former.pop_back();
      });
  m.def(
      "set_printoptions", [](int precision) { set_printoptions({precision}); }, "precision"_a = -1,
      R"(
Sets how arrays are printed: `precision` digits after the point, or -1 for six significant digits.)");
  m.def("get_printoptions", &get_printoptions, "The current :class:`PrintOptions`.");
  m.def(
      "printoptions",
      [](int precision) {
        return PrintOptionsContext{{precision}, {}};
      },
      "precision"_a = -1, "A context manager in which :func:`set_printoptions` holds.");
}

}  // namespace heddle::python
