// Functions as files in MLX's forms: named arguments in an unordered map, options one by one.
#pragma once

#include <functional>
#include <map>
#include <ostream>
#include <string>
#include <unordered_map>
#include <utility>

#include "mlx/array.h"

namespace heddle {

using Args = Arrays;
using Kwargs = std::unordered_map<std::string, Array>;

namespace detail {

inline Kwargs unordered(const NamedArguments& named) { return {named.begin(), named.end()}; }
inline NamedArguments ordered(const Kwargs& named) { return {named.begin(), named.end()}; }
inline ExportedFunction exported(std::function<Arrays(const Args&)> fun) {
  return [fun = std::move(fun)](const Arrays& args, const NamedArguments&) { return fun(args); };
}
inline ExportedFunction exported(std::function<Arrays(const Kwargs&)> fun) {
  return [fun = std::move(fun)](const Arrays&, const NamedArguments& named) {
    return fun(unordered(named));
  };
}
inline ExportedFunction exported(std::function<Arrays(const Args&, const Kwargs&)> fun) {
  return [fun = std::move(fun)](const Arrays& args, const NamedArguments& named) {
    return fun(args, unordered(named));
  };
}

}  // namespace detail

inline FunctionExporter exporter(const std::string& path,
                                 const std::function<Arrays(const Args&)>& fun,
                                 bool shapeless = false, const std::string& metadata = "") {
  return exporter(path, detail::exported(fun), ExportOptions{shapeless, metadata});
}
inline FunctionExporter exporter(const std::string& path,
                                 const std::function<Arrays(const Kwargs&)>& fun,
                                 bool shapeless = false, const std::string& metadata = "") {
  return exporter(path, detail::exported(fun), ExportOptions{shapeless, metadata});
}
inline FunctionExporter exporter(const std::string& path,
                                 const std::function<Arrays(const Args&, const Kwargs&)>& fun,
                                 bool shapeless = false, const std::string& metadata = "") {
  return exporter(path, detail::exported(fun), ExportOptions{shapeless, metadata});
}

inline void export_function(const std::string& path, const std::function<Arrays(const Args&)>& fun,
                            const Args& args, bool shapeless, const std::string& metadata = "") {
  export_function(path, fun, args, ExportOptions{shapeless, metadata});
}
inline void export_function(const std::string& path,
                            const std::function<Arrays(const Kwargs&)>& fun, const Kwargs& named,
                            bool shapeless = false, const std::string& metadata = "") {
  export_function(path, detail::exported(fun), {}, detail::ordered(named),
                  ExportOptions{shapeless, metadata});
}
inline void export_function(const std::string& path,
                            const std::function<Arrays(const Args&, const Kwargs&)>& fun,
                            const Args& args, const Kwargs& named, bool shapeless = false,
                            const std::string& metadata = "") {
  export_function(path, detail::exported(fun), args, detail::ordered(named),
                  ExportOptions{shapeless, metadata});
}

inline void export_to_dot(std::ostream& stream, const Arrays& outputs) {
  stream << export_to_dot(outputs);
}
template <class... More>
void export_to_dot(std::ostream& stream, const Array& first, const More&... more) {
  stream << export_to_dot(Arrays{first, more...});
}

}  // namespace heddle
