// What tests and tables ask about the engine: its registered operations, and those of a lazy graph.
#include <unordered_set>

#include "bind.h"
#include "core/graph_lock.h"
#include "core/node.h"

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
        Arrays arrays;
        visit_arrays(trees, [&](const Array& a) { arrays.push_back(a); });
        const std::vector<OpRef> ops = walk_graph([&](Unfinished& unfinished) {
          std::vector<OpRef> found;
          std::unordered_set<const Node*> seen;
          std::vector<Node*> open;
          for (const Array& a : arrays) open.push_back(a.node());
          while (!open.empty()) {
            Node* n = open.back();
            open.pop_back();
            if (!n->available() && unfinished.has(n)) continue;
            if (!n->op || !seen.insert(n).second) continue;
            found.push_back(n->op);
            for (const Array& in : n->inputs) open.push_back(in.node());
          }
          return found;
        });
        nb::list names;
        for (const OpRef& op : ops) names.append(op->title());
        return names;
      },
      "arrays"_a, "Names of the operations that the arrays still wait for.");
}

}  // namespace heddle::python
