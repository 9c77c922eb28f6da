// Graphs as pictures, in the language of Graphviz, and as lists of operations.
#include <fmt/format.h>

#include <set>
#include <unordered_map>

#include "core/graph_lock.h"
#include "core/node.h"
#include "heddle/export.h"

namespace heddle {
namespace {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

// What makes a node: the op of one result, or the siblings that share it.
const void* maker(const Node* n) {
  return n->siblings ? static_cast<const void*>(n->siblings) : static_cast<const void*>(n);
}

class Picture {
 public:
  Picture(const Arrays& outputs, const NodeNames& names, Unfinished& unfinished)
      : names_(names), letters_(names.size()) {
    for (const Array& a : outputs) outputs_.insert(a.node());
    for (const Array& a : outputs) order(a, unfinished);
  }

  std::string lines(const Arrays& outputs) {
    Arrays sources;
    for (const Array& a : order_) {
      if (is_source(a.node())) sources.push_back(a);
    }
    out_ = "Inputs: " + listed(sources) + "\n";
    out_ += "Outputs: " + listed(outputs) + "\n";
    std::set<const void*> told;
    for (const Array& a : order_) {
      const Node* n = a.node();
      if (is_source(n) || !told.insert(maker(n)).second) continue;
      Arrays results = n->siblings ? living_siblings(n) : Arrays{a};
      std::erase_if(results, [](const Array& r) { return !r; });
      out_ += fmt::format("{} {} -> {}\n", n->op->title(), listed(n->inputs), listed(results));
    }
    return out_;
  }

  std::string dot() {
    // Sources get their letters first, as they are drawn first.
    for (const Array& a : order_) {
      if (is_source(a.node())) {
        out_ += fmt::format("{{ rank=source; {}; }}\n", quoted(name(a.node())));
      }
    }
    std::set<const void*> drawn;
    for (const Array& a : order_) {
      const Node* n = a.node();
      if (is_source(n) || !drawn.insert(maker(n)).second) continue;
      draw(a, drawn.size());
    }
    return "digraph {\n" + out_ + "}";
  }

 private:
  static bool is_source(const Node* n) { return n->available() || !n->op; }

  const std::string& name(const Node* n) {
    std::string& name = names_[reinterpret_cast<uintptr_t>(n)];
    if (!name.empty()) return name;
    size_t k = ++letters_;
    for (; k > 0; k = (k - 1) / 26)
      name.insert(name.begin(), static_cast<char>('A' + (k - 1) % 26));
    return name;
  }

  std::string listed(const Arrays& arrays) {
    std::string text;
    for (const Array& a : arrays) {
      text += fmt::format("{}{} [{}, {}]", text.empty() ? "" : ", ", name(a.node()),
                          to_string(a.shape()), name_of(a.dtype()));
    }
    return text;
  }

  void draw(const Array& array, size_t number) {
    const Node* n = array.node();
    out_ += fmt::format("{{ {} [label ={}, shape=rectangle]; }}\n", number, quoted(n->op->title()));
    for (const Array& in : n->inputs)
      out_ += fmt::format("{} -> {}\n", quoted(name(in.node())), number);
    for (const Array& result : n->siblings ? living_siblings(n) : Arrays{array}) {
      if (!result) continue;
      const Node* r = result.node();
      const char* rank = outputs_.count(r) ? "rank=sink; " : "";
      out_ +=
          fmt::format("{{ {}{}; }}\n{} -> {}\n", rank, quoted(name(r)), number, quoted(name(r)));
    }
  }

  // Depth-first, without recursion.
  void order(const Array& root, Unfinished& unfinished) {
    struct Frame {
      Array array;
      size_t next;
    };
    std::vector<Frame> stack;
    if (seen_.insert(root.node()).second) stack.push_back({root, 0});
    while (!stack.empty()) {
      Frame& f = stack.back();
      Node* n = f.array.node();
      if (!n->available() && unfinished.has(n)) return;
      if (!is_source(n) && f.next < n->inputs.size()) {
        Array in = n->inputs[f.next++];
        if (seen_.insert(in.node()).second) stack.push_back({std::move(in), 0});
        continue;
      }
      order_.push_back(std::move(f.array));
      stack.pop_back();
    }
  }

  NodeNames names_;
  std::set<const Node*> outputs_, seen_;
  Arrays order_;
  std::string out_;
  size_t letters_;
};

}  // namespace

std::string export_to_dot(const Arrays& outputs, const NodeNames& names) {
  return walk_graph([&](Unfinished& unfinished) {
    Picture picture(outputs, names, unfinished);
    return unfinished.empty() ? picture.dot() : "";
  });
}

std::string print_graph(const Arrays& outputs, const NodeNames& names) {
  return walk_graph([&](Unfinished& unfinished) {
    Picture picture(outputs, names, unfinished);
    return unfinished.empty() ? picture.lines(outputs) : "";
  });
}

}  // namespace heddle
