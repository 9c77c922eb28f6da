// What tests and tables ask about the engine: its registered operations, and those of a lazy graph.
#include <unordered_set>

#include "bind.h"
#include "core/node.h"
#include "eval/eval.h"

namespace heddle::python {

void bind_introspection(nb::module_& m) {
  m.def(
      "_registry",
      [] {
        nb::list rows;
        for (const OpInfo* op : registered_ops()) {
          nb::dict row;
          row["name"] = op->name;
          rows.append(row);
        }
        return rows;
      },
      "The engine's operations: one dict for each, with its name.");
  m.def(
      "_graph_ops",
      [](nb::args trees) {
        nb::list names;
        std::unordered_set<const Node*> seen;
        std::vector<const Node*> open;
        visit_arrays(trees, [&](const Array& a) { open.push_back(a.node()); });
        GraphLock lock;
        while (!open.empty()) {
          const Node* n = open.back();
          open.pop_back();
          if (!n->op || !seen.insert(n).second) continue;
          names.append(n->op->title());
          for (const Array& in : n->inputs) open.push_back(in.node());
        }
        return names;
      },
      "arrays"_a, "Names of the operations that the arrays still wait for.");
}

}  // namespace heddle::python
