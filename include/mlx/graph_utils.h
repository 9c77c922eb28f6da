// Graphs as text and as pictures (in the language of Graphviz), with heddle's operations.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "heddle/export.h"
#include "mlx/array.h"

namespace mlx::core {

// Names of arrays in graphs: those given, else A, B, ..., Z, AA, ... in the order of asking.
struct NodeNamer {
  std::unordered_map<std::uintptr_t, std::string> names;

  const std::string& get_name(const array& x) {
    auto [at, added] = names.try_emplace(x.id());
    if (added) {
      for (size_t k = names.size(); k > 0; k = (k - 1) / 26) {
        at->second.insert(at->second.begin(), static_cast<char>('A' + (k - 1) % 26));
      }
    }
    return at->second;
  }
  void set_name(const array& x, std::string n) { names[x.id()] = std::move(n); }
};

inline void print_graph(std::ostream& stream, NodeNamer namer, const std::vector<array>& outputs) {
  stream << heddle::print_graph(detail::in(outputs), namer.names);
}
inline void print_graph(std::ostream& stream, const std::vector<array>& outputs) {
  print_graph(stream, NodeNamer{}, outputs);
}
template <class... Arrays, class = enable_for_arrays_t<Arrays...>>
void print_graph(std::ostream& stream, Arrays&&... outputs) {
  print_graph(stream, NodeNamer{}, std::vector<array>{std::forward<Arrays>(outputs)...});
}
template <class... Arrays, class = enable_for_arrays_t<Arrays...>>
void print_graph(std::ostream& stream, NodeNamer namer, Arrays&&... outputs) {
  print_graph(stream, std::move(namer), std::vector<array>{std::forward<Arrays>(outputs)...});
}

inline void export_to_dot(std::ostream& stream, NodeNamer namer,
                          const std::vector<array>& outputs) {
  stream << heddle::export_to_dot(detail::in(outputs), namer.names);
}
inline void export_to_dot(std::ostream& stream, const std::vector<array>& outputs) {
  export_to_dot(stream, NodeNamer{}, outputs);
}
template <class... Arrays, class = enable_for_arrays_t<Arrays...>>
void export_to_dot(std::ostream& stream, Arrays&&... outputs) {
  export_to_dot(stream, NodeNamer{}, std::vector<array>{std::forward<Arrays>(outputs)...});
}
template <class... Arrays, class = enable_for_arrays_t<Arrays...>>
void export_to_dot(std::ostream& stream, NodeNamer namer, Arrays&&... outputs) {
  export_to_dot(stream, std::move(namer), std::vector<array>{std::forward<Arrays>(outputs)...});
}

}  // namespace mlx::core
